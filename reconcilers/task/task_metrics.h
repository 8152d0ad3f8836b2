// convoke_task*, convoke_tasks and convoke_scheduler_*: what happens to Tasks, as numbers. Every series
// exists from the start, at 0.
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include <cstddef>
#include <memory>

#include "controller/base/clock.h"
#include "reconcilers/api/task.h"

namespace prometheus {
class Registry;
}

namespace convoke::task {

class TaskMetrics {
 public:
  explicit TaskMetrics(prometheus::Registry& registry);
  ~TaskMetrics();

  void task_changed(const api::Task* before, const api::Task* after);
  void attempt_ended(api::AttemptOutcome outcome);
  void assigned(Duration after);
  void matched(Duration after);
  void scheduler_waiting(std::size_t tasks);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::task
