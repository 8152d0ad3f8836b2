// Statuses that were decided but are not written yet, because writes are spaced out: the next decision builds
// on them, so that what was once seen (a step that ended) is not forgotten for a second.
//
// Thread safety: all methods from every thread. A crash loses at most what the Tasks can tell again.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "controller/base/mutex.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::workflow {

class UnwrittenStatuses {
 public:
  // The status to build on: the unwritten one of this run, or the one that it has.
  api::WorkflowRunStatus latest(const api::WorkflowRun& run) const {
    const MutexLock lock(mutex_);
    const auto found = statuses_.find(run.meta.uid);
    return found == statuses_.end() ? run.status : *found->second;
  }
  void keep(const std::string& uid, api::WorkflowRunStatus status) {
    auto kept = std::make_shared<const api::WorkflowRunStatus>(std::move(status));
    const MutexLock lock(mutex_);
    statuses_[uid] = std::move(kept);
  }
  void forget(const std::string& uid) {
    const MutexLock lock(mutex_);
    statuses_.erase(uid);
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const api::WorkflowRunStatus>> statuses_ GUARDED_BY(mutex_);
};

}  // namespace convoke::workflow
