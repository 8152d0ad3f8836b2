// A waiting Task becomes more urgent with time, so that an old one of low priority eventually runs: its
// effective priority rises by one for each interval that it has waited, up to the highest.
//
// It waits since it was queued last, or since its creation. It is looked at again at each step, nothing else
// raises it in between.
//
// Thread safety: pure functions. Errors: none; an interval of zero turns it off, a time that cannot be read
// or lies in the future counts as now.
#pragma once

#include <optional>

#include "controller/base/clock.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

inline constexpr int kHighestPriority = 5;

int effective_priority(const api::Task& task, Duration interval, WallTime now);
// None: it does not rise any more.
std::optional<Duration> until_next_step(const api::Task& task, Duration interval, WallTime now);

}  // namespace convoke::task
