// Does several calls that wait for somebody else at the same time, in short-lived threads.
//
//   std::vector<Result<Json>> answers(names.size());
//   side_by_side(clock, "create", names.size(), 8, [&](std::size_t i) {
//     answers[i] = client.create(...);
//     return answers[i].has_value();
//   });
//
// The first one is done alone: what the other side refuses of one, it mostly refuses of all, and then costs
// one call. The caller's own thread does its part.
//
// Thread safety: from every thread. `job` is called from several threads at once, for each number once; what
// it writes is seen by the caller afterwards. It must not throw.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "controller/base/clock.h"

namespace convoke {

// Calls job(0) … job(count - 1), at most `limit` (1 or more) at once, and returns when all that began are
// done. After one has returned false no more are begun.
void side_by_side(Clock& clock, const std::string& name, std::size_t count, std::size_t limit,
                  const std::function<bool(std::size_t)>& job);

}  // namespace convoke
