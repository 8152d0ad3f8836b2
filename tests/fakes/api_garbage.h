// The garbage collector of the control plane: deletes what has lost all of its owners, and carries out
// foreground and orphaning deletions. Not thread-safe: the server's mutex guards the storage.
#pragma once

#include "tests/fakes/api_storage.h"

namespace convoke::fakes {

// Runs until nothing is left to collect.
void collect_garbage(ApiStorage& storage);

}  // namespace convoke::fakes
