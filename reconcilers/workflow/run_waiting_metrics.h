// convoke_run_oldest_seconds{phase}, convoke_steps_waiting{reason} and
// convoke_step_oldest_waiting_seconds{reason}: which runs go on for long, and what waits for people, an event
// or a time. Counted out of the runs' own status, so that it agrees with what kubectl shows, and that a new
// leader does not begin at zero. Every series exists from the start.
//
// A run is as old as its start, or that of its last round; one that has not started as its creation. A step
// waits since it started.
//
// Thread safety: all methods from every thread. Ownership: the clock outlives this.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::workflow {

class RunWaitingMetrics final : public prometheus::Collectable {
 public:
  explicit RunWaitingMetrics(Clock& clock);

  // A run came (no `before`), changed or went (no `after`).
  void run_changed(const api::WorkflowRun* before, const api::WorkflowRun* after);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  // How many there are, by when they began. Changes of one run may come in either order, so a count may be
  // below zero for a moment.
  using Ages = std::map<WallTime, int>;
  void count(const api::WorkflowRun& run, int change) REQUIRES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, Ages> runs_by_phase_ GUARDED_BY(mutex_);
  std::map<std::string, Ages> steps_by_reason_ GUARDED_BY(mutex_);
};

}  // namespace convoke::workflow
