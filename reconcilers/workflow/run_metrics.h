// convoke_runs, convoke_run_duration_seconds and convoke_steps_total. Every series exists from the start, at
// 0.
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include <memory>

#include "controller/base/clock.h"
#include "reconcilers/api/workflow_run.h"

namespace prometheus {
class Registry;
}

namespace convoke::workflow {

class RunMetrics {
 public:
  explicit RunMetrics(prometheus::Registry& registry);
  ~RunMetrics();

  // A run came (no `before`), changed or went (no `after`).
  void run_changed(const api::WorkflowRun* before, const api::WorkflowRun* after);
  // `after` was written over `before`.
  void status_written(const api::WorkflowRunStatus& before, const api::WorkflowRunStatus& after,
                      WallTime now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::workflow
