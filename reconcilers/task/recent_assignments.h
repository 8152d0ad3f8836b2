// Which agents were given a Task of late, as the Tasks' status tells: what a new leader needs to know of the
// rate limits that its predecessor kept.
//
// Thread safety: pure but for the store. Errors: none; what lies in the future counts as now.
#pragma once

#include <vector>

#include "controller/base/clock.h"
#include "controller/runtime/store.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

// What is older is forgotten.
inline constexpr Duration kRecent = std::chrono::minutes(10);

struct RecentAssignment {
  kube::ObjectKey agent;
  Duration ago{};
};

// Looks at every Task: once in a leader's life.
std::vector<RecentAssignment> recent_assignments(const runtime::Store<api::Task>& tasks, WallTime now);

}  // namespace convoke::task
