// Drives every Task: Observe (caches, scheduler) -> decide (task_decide.h) -> Act (one status write, what is
// told to subtasks, or the deletion of a Task that finished long ago).
//
// Each status write carries the resourceVersion that it was decided on, and its answer goes into the store at
// once. A conflict means that the cache is behind: the watch will bring the news, and with them the next
// reconcile. While an answer is unknown (no answer, conflict) the reserved place is kept, since the
// assignment may have taken effect; a refusal gives it back.
//
// A Task with locks gets them between its decision and its write (lock_keeper.h), which hands their tokens to
// the agent. A crash between the two leaves locks in the hands of a Task that is not assigned; the
// LockReconciler frees them.
//
// Thread safety: reconcile() as Reconciler says; watch() once, before the first object.
// Ownership: all that the constructor takes outlives it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/live.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/own_writes.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"
#include "controller/runtime/write_pacer.h"
#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/task/first_tasks.h"
#include "reconcilers/task/lock_keeper.h"
#include "reconcilers/task/scheduler.h"
#include "reconcilers/task/subtasks.h"
#include "reconcilers/task/task_decide.h"
#include "reconcilers/task/task_metrics.h"

namespace convoke::task {

struct TaskParts {
  kube::Client& client;
  api::Caches& caches;
  Scheduler& scheduler;
  Clock& clock;
  Random& random;
  runtime::EventRecorder& events;
  TaskMetrics& metrics;
  api::AuditLog* audit = nullptr;  // none: nothing is told
  LockKeeper* locks = nullptr;     // none: a Task that wants locks is not assigned
};

class TaskReconciler final : public runtime::Reconciler {
 public:
  TaskReconciler(TaskParts parts, Logger log, TaskTiming timing = {});

  // Feeds the scheduler from the caches, and the queue from both. The scheduler is started by the composition
  // root, on leadership.
  void watch(runtime::WorkQueue& queue);

  // From every thread. Tasks that wait for the end of a former time are looked at again.
  void set_timing(const TaskTiming& timing);

  // From every thread. The assignment rules of the configuration; Tasks that wait are looked at again.
  void set_rules(std::vector<AssignmentRule> rules);

  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  using TaskChange = runtime::Store<api::Task>::Change;
  using AgentChange = runtime::Store<api::Agent>::Change;
  using LeaseChange = runtime::Store<kube::Lease>::Change;

  void task_changed(const TaskChange& change, runtime::WorkQueue& queue);
  void agent_changed(const AgentChange& change, runtime::WorkQueue& queue);
  // Whoever is not named by the Lease any more must look whether it lost the lock.
  void lock_changed(const LeaseChange& change, runtime::WorkQueue& queue);
  void sync_scheduler(const kube::ObjectKey& key);
  // Offers the Task, unless it waits for the result of another one.
  void feed_scheduler(const api::Task& task, void (Scheduler::*feed)(const api::Task&));
  void wake_relatives(const TaskChange& change, bool was_first, runtime::WorkQueue& queue);

  TaskSnapshot observe(const api::Task& task);
  std::string objection(const api::Task& task) const;
  Result<TaskDecision> decide_with_subtasks(const api::Task& task, TaskSnapshot& snapshot);
  Duration report_seen_for(const api::Task& task);
  runtime::ReconcileResult act(const api::Task& task, const TaskSnapshot& snapshot, TaskDecision decision);
  // The write of a decision; a Task that becomes Assigned gets its locks before.
  Status carry_out(const api::Task& task, const TaskSnapshot& snapshot, api::TaskStatus& status);
  std::optional<std::string> lock_loss(const api::Task& task);
  bool is_assigned_in_vain(const std::string& namespace_, const api::TaskStatus& status) const;
  runtime::ReconcileResult remove(const api::Task& task);
  Status direct(const SubtaskActions& actions);
  Status write(const api::Task& task, const api::TaskStatus& status);
  runtime::ReconcileResult write_failed(const api::Task& task, const Error& error);
  void tell(const api::Task& task, const TaskSnapshot& snapshot, const TaskDecision& decision);

  TaskParts parts_;
  Logger log_;
  Live<TaskTiming> timing_;
  runtime::WorkQueue* queue_ = nullptr;  // set by watch()

  // When it was first seen that a Task's current assignment has begun.
  struct Sighting {
    std::string assignment_id;
    MonotonicTime time;
  };
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Sighting> sightings_ GUARDED_BY(mutex_);
  runtime::OwnWrites own_writes_;
  FirstTasks first_tasks_;
  Subtasks subtasks_;
  runtime::WritePacer progress_pacer_;
};

}  // namespace convoke::task
