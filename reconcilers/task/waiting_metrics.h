// convoke_tasks_waiting{reason} and convoke_task_oldest_waiting_seconds{reason}: where the queue is. Counted
// out of the Tasks' own status, so that it agrees with what kubectl shows, and that a new leader does not
// begin at zero. The reason "New" means that no status was written yet.
//
// A Task waits since it was queued last, or else since its creation. One that waits for a person (Suspended,
// InvalidSpec) is counted, and has no age.
//
// Thread safety: all methods from every thread. Ownership: the clock outlives this.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

class WaitingMetrics final : public prometheus::Collectable {
 public:
  explicit WaitingMetrics(Clock& clock);

  // A Task came (no `before`), changed or went (no `after`).
  void task_changed(const api::Task* before, const api::Task* after);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  // Changes of one Task may come in either order, so a count may be below zero for a moment.
  using Ages = std::map<WallTime, int>;
  struct Waiting {
    int tasks = 0;
    Ages since;
  };
  void count(const api::Task& task, int change) REQUIRES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, Waiting> by_reason_ GUARDED_BY(mutex_);
};

}  // namespace convoke::task
