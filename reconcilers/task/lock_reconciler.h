// Watches over every lock: frees those whose holder ended, renews the others, breaks them on a person's
// behalf, and lets a foreign holder go by the observed-time rule. It also tells the scheduler who holds what.
//
// A holder is freed only on what is certain: its Task ended for good, or the API server itself says that it
// is not Assigned with this lock, or not there. The cache alone does not do, since an operator before this
// one may have written what the watch has not delivered yet. Each write is a compare-and-swap, so what others
// did meanwhile is never undone.
//
// What the operator saw of a Lease, and when, is noted on standbys too, so that a new leader knows at once
// who is silent. Leases of locks are never deleted: their token must not begin anew.
//
// Thread safety: reconcile() as Reconciler says; watch() once, before the first object.
// Ownership: all that the constructor takes outlives it.
#pragma once

#include <map>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/kube/client.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/own_writes.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/task/lock_decide.h"
#include "reconcilers/task/lock_keeper.h"
#include "reconcilers/task/lock_metrics.h"
#include "reconcilers/task/scheduler.h"

namespace convoke::task {

struct LockParts {
  kube::Client& client;
  api::Caches& caches;
  Scheduler& scheduler;
  LockKeeper& keeper;
  Clock& clock;
  runtime::EventRecorder& events;
  LockMetrics& metrics;
};

class LockReconciler final : public runtime::Reconciler {
 public:
  LockReconciler(LockParts parts, Logger log);

  // Keys are those of the Leases.
  void watch(runtime::WorkQueue& queue);

  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  using LeaseChange = runtime::Store<kube::Lease>::Change;
  using TaskChange = runtime::Store<api::Task>::Change;

  void lease_changed(const LeaseChange& change, runtime::WorkQueue& queue);
  void task_changed(const TaskChange& change, runtime::WorkQueue& queue);
  void sync_scheduler(const kube::ObjectKey& key, const std::string& lock);

  HolderState state_of(const LockHolder& holder, const std::string& namespace_, const std::string& lock);
  HolderState ask(const LockHolder& holder, const kube::ObjectKey& task, const std::string& lock);
  Duration unchanged_for(const kube::Lease& lease);
  void forget(const kube::ObjectKey& key);
  runtime::ReconcileResult act(const LockRecord& record, const LockDecision& decision);
  runtime::ReconcileResult write_failed(const kube::ObjectKey& key, const Error& error);
  void tell(const LockRecord& record, const LockDecision& decision);

  LockParts parts_;
  Logger log_;

  // When a Lease was seen to change last.
  struct Sighting {
    kube::Lease lease;
    MonotonicTime time;
  };
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Sighting> sightings_ GUARDED_BY(mutex_);
  runtime::OwnWrites own_writes_;
};

}  // namespace convoke::task
