// convoke_runs, convoke_runs_finished_total, convoke_workflow_runs_finished_total,
// convoke_run_duration_seconds and convoke_steps_total. Every series exists from the start, at 0, except
// those of a Workflow: they exist when a run of it was seen, and are bounded (bounded_series.h).
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
  static constexpr std::size_t kMaxWorkflows = 100;

  explicit RunMetrics(prometheus::Registry& registry);
  ~RunMetrics();

  // A run came (no `before`), changed or went (no `after`).
  void run_changed(const api::WorkflowRun* before, const api::WorkflowRun* after);
  void workflow_gone(const kube::ObjectKey& workflow);
  // `after` was written over the status of `run`.
  void status_written(const api::WorkflowRun& run, const api::WorkflowRunStatus& after, WallTime now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::workflow
