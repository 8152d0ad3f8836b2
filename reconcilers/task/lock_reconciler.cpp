#include "reconcilers/task/lock_reconciler.h"

#include <memory>
#include <utility>

#include "reconcilers/task/reasons.h"
#include "reconcilers/task/task_decide.h"

namespace convoke::task {
namespace {

using runtime::Done;
using runtime::ReconcileResult;
using runtime::RequeueAfter;
using runtime::Retry;

bool holds(const api::Task& task, const std::string& lock) {
  return is_live(task.status.phase) && !task.meta.being_deleted() &&
         task.status.assignment.fencing.contains(lock);
}

bool is_held(const kube::Lease* lease) {
  return lease != nullptr && LockRecord::of(*lease).is_held();
}

}  // namespace

LockReconciler::LockReconciler(LockParts parts, Logger log) : parts_(parts), log_(std::move(log)) {}

// --- What changed ---

void LockReconciler::watch(runtime::WorkQueue& queue) {
  parts_.caches.locks.add_handler(
      [this, &queue](const LeaseChange& change) { lease_changed(change, queue); });
  parts_.caches.tasks.add_handler([this, &queue](const TaskChange& change) { task_changed(change, queue); });
}

void LockReconciler::lease_changed(const LeaseChange& change, runtime::WorkQueue& queue) {
  const kube::Lease& lease = change.after ? *change.after : *change.before;
  const auto lock = lock_of(lease);
  if (!lock) {
    return;
  }
  const kube::ObjectKey key = lease.meta.key();
  parts_.metrics.held((is_held(change.after.get()) ? 1 : 0) - (is_held(change.before.get()) ? 1 : 0));
  if (change.after) {
    unchanged_for(*change.after);
  } else {
    parts_.keeper.lock_deleted(*change.before);
    if (parts_.caches.locks.get(key) == nullptr) {
      forget(key);  // on a standby no reconcile does
    }
  }
  sync_scheduler(key, *lock);
  if (!change.after || !own_writes_.covers(change.after->meta.resource_version)) {
    queue.add(key, change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
  }
}

// A Task that is not live any more, or not there, gives its locks to the next.
void LockReconciler::task_changed(const TaskChange& change, runtime::WorkQueue& queue) {
  const api::Task& task = change.after ? *change.after : *change.before;
  if (change.after && is_live(task.status.phase) && !task.meta.being_deleted()) {
    return;
  }
  for (const api::LockRequest& request : task.spec.locks) {
    const kube::ObjectKey key{task.meta.namespace_, lock_lease_name(request.name)};
    const auto lease = parts_.caches.locks.get(key);
    if (lease != nullptr && LockRecord::of(*lease).find(task.meta.uid) != nullptr) {
      queue.add(key, change.initial ? runtime::kPriorityLow : runtime::kPriorityHigh);
    }
  }
}

// Two threads may bring news of one Lease in either order, so what counts is what the store holds, also after
// the scheduler has heard it.
void LockReconciler::sync_scheduler(const kube::ObjectKey& key, const std::string& lock) {
  for (auto lease = parts_.caches.locks.get(key);;) {
    const LockRecord record = lease != nullptr ? LockRecord::of(*lease) : LockRecord();
    parts_.scheduler.set_lock({key.namespace_, lock}, record);
    auto now_there = parts_.caches.locks.get(key);
    if (now_there == lease) {
      return;
    }
    lease = std::move(now_there);
  }
}

// --- Observe ---

ReconcileResult LockReconciler::reconcile(const kube::ObjectKey& key) {
  // The Lease first: who holds it here began to take it before, so what is asked next knows of that.
  const auto lease = parts_.caches.locks.get(key);
  if (lease == nullptr) {
    forget(key);
    return Done{};
  }
  const auto lock = lock_of(*lease);
  if (!lock) {
    return Done{};
  }
  const LockRecord record = LockRecord::of(*lease);
  LockSnapshot snapshot{record, {}, unchanged_for(*lease), parts_.clock.wall_now()};
  for (const LockHolder& holder : record.holders) {
    snapshot.holders.push_back(state_of(holder, key.namespace_, *lock));
  }
  return act(record, decide(snapshot));
}

HolderState LockReconciler::state_of(const LockHolder& holder, const std::string& namespace_,
                                     const std::string& lock) {
  const kube::ObjectKey key{namespace_, holder.task};
  if (parts_.keeper.is_taking(holder.uid) || parts_.scheduler.outlook(key, holder.uid).reservation) {
    return HolderState::Unknown;
  }
  const auto task = parts_.caches.tasks.get(key);
  const bool known = task != nullptr && task->meta.uid == holder.uid;
  if (known && holds(*task, lock)) {
    return HolderState::Holds;
  }
  if (known && api::is_terminal(task->status.phase)) {
    return HolderState::Ended;
  }
  return ask(holder, key, lock);
}

HolderState LockReconciler::ask(const LockHolder& holder, const kube::ObjectKey& key,
                                const std::string& lock) {
  const Result<Json> answer = parts_.client.get(api::kTask, key);
  if (!answer) {
    return answer.error().code == ErrorCode::NotFound ? HolderState::Ended : HolderState::Unknown;
  }
  auto task = std::make_shared<const api::Task>(api::Task::from_json(*answer));
  parts_.caches.tasks.overlay(task);
  return task->meta.uid == holder.uid && holds(*task, lock) ? HolderState::Holds : HolderState::Ended;
}

Duration LockReconciler::unchanged_for(const kube::Lease& lease) {
  const MonotonicTime now = parts_.clock.monotonic_now();
  const MutexLock lock(mutex_);
  const auto [seen, is_first] = sightings_.try_emplace(lease.meta.key(), Sighting{lease, now});
  if (!is_first && !is_same_record(seen->second.lease, lease)) {
    seen->second = {lease, now};
  }
  return now - seen->second.time;
}

void LockReconciler::forget(const kube::ObjectKey& key) {
  const MutexLock lock(mutex_);
  sightings_.erase(key);
}

// --- Act ---

ReconcileResult LockReconciler::act(const LockRecord& record, const LockDecision& decision) {
  const kube::ObjectKey key = record.lease.meta.key();
  if (decision.write) {
    const Result<Json> answer = parts_.client.update(kube::kLease, decision.write->to_json());
    if (!answer) {
      return write_failed(key, answer.error());
    }
    own_writes_.overlay(parts_.caches.locks, kube::Lease::from_json(*answer));
    tell(record, decision);
    return RequeueAfter{Duration::zero()};
  }
  if (decision.look_again) {
    return RequeueAfter{*decision.look_again};
  }
  return Done{};
}

ReconcileResult LockReconciler::write_failed(const kube::ObjectKey& key, const Error& error) {
  if (error.code == ErrorCode::NotFound) {
    return Done{};
  }
  if (error.code != ErrorCode::Conflict) {
    return Retry{error.with_context("writing lock Lease " + key.str())};
  }
  // Somebody waits for this lock: the news are fetched instead of waited for.
  const Result<Json> answer = parts_.client.get(kube::kLease, key);
  if (answer) {
    parts_.caches.locks.overlay(std::make_shared<const kube::Lease>(kube::Lease::from_json(*answer)));
    return RequeueAfter{Duration::zero()};
  }
  return answer.error().code == ErrorCode::NotFound ? ReconcileResult(Done{}) : Retry{answer.error()};
}

void LockReconciler::tell(const LockRecord& record, const LockDecision& decision) {
  const kube::ObjectReference lease{kube::kLease, record.lease.meta.namespace_, record.lease.meta.name,
                                    record.lease.meta.uid, record.lease.meta.resource_version};
  const std::size_t foreign = record.foreign.empty() ? 0 : 1;
  parts_.metrics.freed(decision.why, decision.freed.size() + foreign);
  if (decision.why == LockDecision::Why::Expired) {
    parts_.events.record(lease, runtime::EventType::Normal, reason::kLockExpired, action::kFree,
                         record.foreign + " did not renew it");
  }
  if (decision.why != LockDecision::Why::Broken) {
    return;
  }
  const std::string why = record.break_reason()->empty() ? "" : ": " + *record.break_reason();
  const std::string who = record.is_held() ? "it was held by " + record.describe() : "nobody held it";
  const std::string note = api::cut_text("broken by annotation" + why + "; " + who, kMaxMessageBytes);
  parts_.events.record(lease, runtime::EventType::Warning, reason::kLockBroken, action::kFree, note);
  for (const LockHolder& holder : decision.freed) {
    parts_.events.record(
        {api::kTask, record.lease.meta.namespace_, holder.task, holder.uid, ""}, runtime::EventType::Warning,
        reason::kLockBroken, action::kFree,
        api::cut_text("lock Lease " + record.lease.meta.name + " was " + note, kMaxMessageBytes));
  }
}

}  // namespace convoke::task
