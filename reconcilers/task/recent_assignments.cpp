#include "reconcilers/task/recent_assignments.h"

#include <algorithm>
#include <string>

#include "controller/base/time_format.h"

namespace convoke::task {

std::vector<RecentAssignment> recent_assignments(const runtime::Store<api::Task>& tasks, WallTime now) {
  std::vector<RecentAssignment> recent;
  for (const auto& task : tasks.list()) {
    const auto add = [&](const std::string& agent, const std::string& assigned_at) {
      const auto time = parse_time(assigned_at);
      if (!agent.empty() && time && now - *time < kRecent) {
        recent.push_back({{task->meta.namespace_, agent}, std::max(now - *time, Duration::zero())});
      }
    };
    const bool live = is_live(task->status.phase);
    if (live) {
      add(task->status.agent_name, task->status.assigned_at);
    }
    for (const api::AttemptRecord& attempt : task->status.attempts) {
      add(attempt.agent_name, attempt.assigned_at);
    }
  }
  return recent;
}

}  // namespace convoke::task
