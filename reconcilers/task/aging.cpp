#include "reconcilers/task/aging.h"

#include <algorithm>

#include "reconcilers/task/demand.h"

namespace convoke::task {
namespace {

Duration waited(const api::Task& task, WallTime now) {
  const bool queued = task.status.phase == api::TaskPhase::Queued && !task.status.queued_at.empty();
  return since(queued ? task.status.queued_at : task.meta.creation_timestamp, now);
}

}  // namespace

int effective_priority(const api::Task& task, Duration interval, WallTime now) {
  if (interval <= Duration::zero() || task.spec.priority >= kHighestPriority) {
    return task.spec.priority;
  }
  const auto steps = waited(task, now) / interval;
  return static_cast<int>(std::min<Duration::rep>(task.spec.priority + steps, kHighestPriority));
}

std::optional<Duration> until_next_step(const api::Task& task, Duration interval, WallTime now) {
  if (interval <= Duration::zero() || effective_priority(task, interval, now) >= kHighestPriority) {
    return {};
  }
  return interval - waited(task, now) % interval;
}

}  // namespace convoke::task
