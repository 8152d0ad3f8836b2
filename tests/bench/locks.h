// How fast locks go from hand to hand on a real API server.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "tests/bench/load.h"

namespace convoke::bench {

// `count` Tasks that want one of `locks` locks each, Exclusive, worked on by simulated agents which finish at
// once: grants per second, and, for each lock, from when a watch showed that a Task had ended until it showed
// the next one Assigned.
Json measure_locks(World& world, int count, int locks, const std::string& prefix);

}  // namespace convoke::bench
