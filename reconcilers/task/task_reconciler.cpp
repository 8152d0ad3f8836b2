#include "reconcilers/task/task_reconciler.h"

#include <memory>
#include <utility>

#include "reconcilers/task/agent_slot.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/reasons.h"
#include "reconcilers/task/rebalance.h"
#include "reconcilers/task/subtask_spec.h"
#include "reconcilers/task/task_audit.h"

namespace convoke::task {
namespace {

using runtime::Done;
using runtime::ReconcileResult;
using runtime::RequeueAfter;
using runtime::Retry;
using runtime::Terminal;

// After a conflict the watch should bring the news sooner; this is for the case that there are none.
constexpr Duration kConflictDelay = std::chrono::seconds(1);
constexpr int kRandomIdBytes = 8;

// No Task: the scheduler wants to be woken, and the queue has the clock for it.
const kube::ObjectKey& scheduler_key() {
  static const kube::ObjectKey key{"", "scheduler"};
  return key;
}

// Agents report progress often, and none of it changes a decision.
bool only_progress_differs(const api::Task& before, const api::Task& after) {
  if (after.status.phase != api::TaskPhase::Running ||
      before.status.report.state != after.status.report.state ||
      before.status.report.assignment_id != after.status.report.assignment_id) {
    return false;
  }
  api::TaskStatus expected = before.status;
  expected.report = after.status.report;
  return expected == after.status;
}

bool matters(const api::Task& before, const api::Task& after) {
  const bool same_wish = before.meta.generation == after.meta.generation &&
                         before.meta.being_deleted() == after.meta.being_deleted() &&
                         before.meta.owner_references == after.meta.owner_references;
  const bool same_state = before.status == after.status || only_progress_differs(before, after);
  return !same_wish || !same_state;
}

// Of the Task that others with its idempotencyKey wait for.
bool matters_to_others(const api::Task* before, const api::Task* after) {
  return before == nullptr || after == nullptr || before->status.phase != after->status.phase ||
         before->meta.generation != after->meta.generation ||
         before->meta.being_deleted() != after->meta.being_deleted();
}

bool matters_to_whole(const api::Task* before, const api::Task* after) {
  if (before == nullptr || after == nullptr) {
    return true;
  }
  return before->status.phase != after->status.phase || before->status.reason != after->status.reason ||
         before->meta.generation != after->meta.generation ||
         before->meta.annotations != after->meta.annotations;
}

bool is_unavailable(const api::Agent* agent) {
  return agent == nullptr || agent->status.phase == api::AgentPhase::Offline;
}

// Of an agent that was just given a Task.
bool may_not_keep(const api::Agent* agent) {
  return is_unavailable(agent) || agent->status.phase == api::AgentPhase::Draining;
}

// Then what it has not begun moves away.
bool begins_to_drain(const api::Agent* before, const api::Agent* after) {
  const auto drains = [](const api::Agent* agent) {
    return agent != nullptr && agent->status.phase == api::AgentPhase::Draining;
  };
  return drains(after) && !drains(before);
}

// Whether the write may have taken effect, so that the agent's place must not be given to another Task.
bool may_stand(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::Timeout ||
         error.code == ErrorCode::Conflict;
}

// Two threads may bring news of one object in either order, so what counts is what the store holds, also
// after the scheduler has heard it.
template <class T, class Upsert, class Remove>
void sync(const runtime::Store<T>& store, const kube::ObjectKey& key, Upsert upsert, Remove remove) {
  for (auto object = store.get(key); object != nullptr;) {
    upsert(*object);
    auto now_there = store.get(key);
    if (now_there == object) {
      return;
    }
    if (now_there == nullptr || now_there->meta.uid != object->meta.uid) {
      remove(object->meta);
    }
    object = std::move(now_there);
  }
}

}  // namespace

TaskReconciler::TaskReconciler(TaskParts parts, Logger log, TaskTiming timing)
    : parts_(parts),
      log_(std::move(log)),
      timing_(timing),
      first_tasks_(parts.caches),
      subtasks_(parts.client, parts.caches, parts.clock, parts.audit),
      progress_pacer_(timing.progress_interval) {}

// --- What changed ---

void TaskReconciler::watch(runtime::WorkQueue& queue) {
  queue_ = &queue;
  parts_.scheduler.set_listener(
      [&queue](const kube::ObjectKey& key, int priority) { queue.add(key, priority); });
  first_tasks_.set_listener([&queue](const kube::ObjectKey& key) { queue.add(key); });
  parts_.scheduler.set_waker(
      [&queue](Duration in) { queue.add_after(scheduler_key(), in, runtime::kPriorityHigh); });
  parts_.caches.tasks.add_handler([this, &queue](const TaskChange& change) { task_changed(change, queue); });
  parts_.caches.agents.add_handler(
      [this, &queue](const AgentChange& change) { agent_changed(change, queue); });
  parts_.caches.locks.add_handler([this, &queue](const LeaseChange& change) { lock_changed(change, queue); });
}

void TaskReconciler::set_timing(const TaskTiming& timing) {
  if (timing == timing_.get()) return;
  timing_.set(timing);
  for (const auto& task : parts_.caches.tasks.list()) queue_->add(task->meta.key(), runtime::kPriorityLow);
}

void TaskReconciler::set_rules(std::vector<AssignmentRule> rules) {
  if (!parts_.scheduler.set_rules(std::move(rules)) || queue_ == nullptr) return;
  for (const auto& task : parts_.caches.tasks.list()) {
    if (task->status.phase == api::TaskPhase::Pending || task->status.phase == api::TaskPhase::Queued)
      queue_->add(task->meta.key(), runtime::kPriorityLow);
  }
}

void TaskReconciler::task_changed(const TaskChange& change, runtime::WorkQueue& queue) {
  const kube::ObjectKey key = (change.after ? change.after : change.before)->meta.key();
  const bool was_first = first_tasks_.is_first(change.before ? *change.before : *change.after);
  parts_.metrics.task_changed(change.before.get(), change.after.get());
  if (change.before && !change.after) {
    parts_.scheduler.remove_task(key, change.before->meta.uid);
    progress_pacer_.forget(change.before->meta.uid);
    first_tasks_.forget(*change.before);
  }
  sync_scheduler(key);
  wake_relatives(change, was_first, queue);
  if (change.before && change.after && !matters(*change.before, *change.after)) {
    return;
  }
  if (change.after && own_writes_.covers(change.after->meta.resource_version)) {
    return;
  }
  queue.add(key, change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
}

void TaskReconciler::agent_changed(const AgentChange& change, runtime::WorkQueue& queue) {
  const kube::ObjectMeta& meta = (change.after ? change.after : change.before)->meta;
  parts_.metrics.agent_changed(change.before.get(), change.after.get());
  if (change.before && !change.after) {
    parts_.scheduler.remove_agent(meta.key(), meta.uid);
  }
  sync(
      parts_.caches.agents, meta.key(),
      [this](const api::Agent& agent) { parts_.scheduler.upsert_agent(agent); },
      [this](const kube::ObjectMeta& gone) { parts_.scheduler.remove_agent(gone.key(), gone.uid); });
  for (const auto& task : parts_.caches.tasks.by_index(api::index::kTasksByWantedAgent, meta.key().str())) {
    queue.add(task->meta.key());
  }
  if (is_unavailable(change.after.get()) || begins_to_drain(change.before.get(), change.after.get())) {
    for (const auto& task : parts_.caches.tasks.by_index(api::index::kTasksByAgent, meta.key().str())) {
      queue.add(task->meta.key());
    }
  }
}

void TaskReconciler::lock_changed(const LeaseChange& change, runtime::WorkQueue& queue) {
  if (!change.before) {
    return;
  }
  const LockRecord after = change.after ? LockRecord::of(*change.after) : LockRecord();
  for (const LockHolder& holder : LockRecord::of(*change.before).holders) {
    const kube::ObjectKey key{change.before->meta.namespace_, holder.task};
    const auto task = after.find(holder.uid) == nullptr ? parts_.caches.tasks.get(key) : nullptr;
    if (task != nullptr && is_live(task->status.phase)) {
      queue.add(key);
    }
  }
}

void TaskReconciler::sync_scheduler(const kube::ObjectKey& key) {
  sync(
      parts_.caches.tasks, key,
      [this](const api::Task& task) { feed_scheduler(task, &Scheduler::upsert_task); },
      [this](const kube::ObjectMeta& gone) { parts_.scheduler.remove_task(gone.key(), gone.uid); });
}

void TaskReconciler::feed_scheduler(const api::Task& task, void (Scheduler::*feed)(const api::Task&)) {
  const bool idle =
      task.status.phase == api::TaskPhase::Pending || task.status.phase == api::TaskPhase::Queued;
  if (first_tasks_.first_before(task) != nullptr && idle) {
    parts_.scheduler.remove_task(task.meta.key(), task.meta.uid);
  } else {
    (parts_.scheduler.*feed)(task);
  }
}

// The Task that it is a subtask of, and those that wait for its result.
void TaskReconciler::wake_relatives(const TaskChange& change, bool was_first, runtime::WorkQueue& queue) {
  const api::Task& task = change.after ? *change.after : *change.before;
  const int priority = change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal;
  const kube::OwnerReference* owner = controlling_task(task);
  if (owner != nullptr && matters_to_whole(change.before.get(), change.after.get())) {
    queue.add({task.meta.namespace_, owner->name}, priority);
  }
  if (was_first && matters_to_others(change.before.get(), change.after.get())) {
    for (const auto& other : first_tasks_.others_waiting(task)) {
      queue.add(other->meta.key(), priority);
    }
  }
}

// --- Observe ---

ReconcileResult TaskReconciler::reconcile(const kube::ObjectKey& key) {
  if (key == scheduler_key()) {
    parts_.scheduler.wake();
    return Done{};
  }
  const auto task = parts_.caches.tasks.get(key);
  if (task == nullptr) {
    const MutexLock lock(mutex_);
    sightings_.erase(key);
    return Done{};
  }
  // Again, because time alone may have made the Task due, and because a released one is offered again only
  // now.
  feed_scheduler(*task, &Scheduler::review_task);
  TaskSnapshot snapshot = observe(*task);
  if (task->spec.subtasks.empty()) {
    return act(*task, snapshot, decide(snapshot, timing_.get()));
  }
  auto decision = decide_with_subtasks(*task, snapshot);
  if (!decision) {
    return Retry{decision.error().with_context("the subtasks of Task " + key.str())};
  }
  return act(*task, snapshot, std::move(*decision));
}

// The second decision is about subtasks that are all there, or about one that can never be.
Result<TaskDecision> TaskReconciler::decide_with_subtasks(const api::Task& task, TaskSnapshot& snapshot) {
  auto found = subtasks_.find(task);
  if (!found) {
    return found.error();
  }
  snapshot.subtasks = std::move(*found);
  snapshot.progress_wait = progress_pacer_.wait(task.meta.uid, parts_.clock.monotonic_now());
  TaskDecision decision = decide(snapshot, timing_.get());
  if (decision.subtasks.create.empty()) {
    return decision;
  }
  if (auto created = subtasks_.create(task, decision.subtasks.create, snapshot.subtasks); !created) {
    return created.error();
  }
  return decide(snapshot, timing_.get());
}

TaskSnapshot TaskReconciler::observe(const api::Task& task) {
  AgentState agent;
  if (!task.status.agent_name.empty()) {
    const auto found = parts_.caches.agents.get({task.meta.namespace_, task.status.agent_name});
    agent.exists = found != nullptr;
    agent.phase = found != nullptr ? found->status.phase : api::AgentPhase::Pending;
    agent.pulls = found == nullptr || found->spec.dispatch.mode == api::DispatchMode::Pull;
  }
  const WallTime now = parts_.clock.wall_now();
  const bool overdue = until_overdue(task.spec, task.status, timing_.get(), now) == Duration::zero();
  TaskSnapshot snapshot{task,
                        agent,
                        parts_.scheduler.outlook(task.meta.key(), task.meta.uid),
                        report_seen_for(task),
                        now,
                        parts_.random.hex(kRandomIdBytes),
                        parts_.random.uniform(),
                        objection(task),
                        first_tasks_.first_before(task)};
  snapshot.room_elsewhere = overdue && parts_.scheduler.has_room_elsewhere(task);
  snapshot.lock_loss = lock_loss(task);
  return snapshot;
}

// Of the agent that spec.agentName names, while another one has the Task.
std::string TaskReconciler::objection(const api::Task& task) const {
  if (!is_live(task.status.phase) || task.spec.agent_name.empty() ||
      task.spec.agent_name == task.status.agent_name) {
    return {};
  }
  const auto agent = parts_.caches.agents.get({task.meta.namespace_, task.spec.agent_name});
  return agent == nullptr ? "does not exist" : AgentFacts::of(*agent).objection(requirement_of(task));
}

std::optional<std::string> TaskReconciler::lock_loss(const api::Task& task) {
  if (!is_live(task.status.phase) || task.status.assignment.fencing.empty() || parts_.locks == nullptr) {
    return std::string();
  }
  const Result<std::string> loss = parts_.locks->loss(task);
  if (!loss) {
    log_.warn(
        "it cannot be asked whether the Task has its locks",
        {{"namespace", task.meta.namespace_}, {"name", task.meta.name}, {"error", loss.error().describe()}});
    return {};
  }
  return *loss;
}

Duration TaskReconciler::report_seen_for(const api::Task& task) {
  const api::TaskStatus& status = task.status;
  // Without a state it says only why nobody has begun (any more): what begins next is a new sight.
  const bool reported = status.phase == api::TaskPhase::Assigned && !status.assignment.id.empty() &&
                        status.report.assignment_id == status.assignment.id &&
                        status.report.state != api::ReportState::None;
  const MonotonicTime now = parts_.clock.monotonic_now();
  const MutexLock lock(mutex_);
  if (!reported) {
    sightings_.erase(task.meta.key());
    return Duration::zero();
  }
  Sighting& sighting = sightings_[task.meta.key()];
  if (sighting.assignment_id != status.assignment.id) {
    sighting = {status.assignment.id, now};
  }
  return now - sighting.time;
}

// --- Act ---

ReconcileResult TaskReconciler::act(const api::Task& task, const TaskSnapshot& snapshot,
                                    TaskDecision decision) {
  if (decision.defect) {
    parts_.scheduler.release(task.meta.key(), task.meta.uid);
    return Terminal{*decision.defect};
  }
  if (decision.remove) {
    return remove(task);
  }
  if (decision.status) {
    const Status written = carry_out(task, snapshot, *decision.status);
    if (!written) {
      return write_failed(task, written.error());
    }
    tell(task, snapshot, decision);
    if (!task.spec.subtasks.empty()) {
      progress_pacer_.wrote(task.meta.uid, parts_.clock.monotonic_now());
    }
    if (is_assigned_in_vain(task.meta.namespace_, *decision.status)) {
      return RequeueAfter{Duration::zero()};
    }
  }
  if (const Status directed = direct(decision.subtasks); !directed) {
    return Retry{directed.error()};
  }
  if (decision.look_again) {
    return RequeueAfter{*decision.look_again};
  }
  return Done{};
}

Status TaskReconciler::carry_out(const api::Task& task, const TaskSnapshot& snapshot,
                                 api::TaskStatus& status) {
  const bool takes_locks =
      status.phase == api::TaskPhase::Assigned && !is_live(task.status.phase) && !task.spec.locks.empty();
  if (!takes_locks) {
    return write(task, status);
  }
  if (parts_.locks == nullptr) {
    return {ErrorCode::Internal, "this operator knows of no locks"};
  }
  const LockKeeper::Taking taking(*parts_.locks, task);
  auto tokens = parts_.locks->acquire(task);
  if (!tokens) {
    if (tokens.error().code == ErrorCode::Conflict) {
      parts_.scheduler.release(task.meta.key(), task.meta.uid);
    }
    return tokens.error();
  }
  status.assignment.fencing = std::move(*tokens);
  Status written = write(task, status);
  if (written) {
    parts_.locks->waited(snapshot.outlook.waited);
  } else if (!may_stand(written.error())) {
    parts_.locks->give_back(task);
  }
  return written;
}

Status TaskReconciler::direct(const SubtaskActions& actions) {
  if (Status patched = subtasks_.patch(actions.patch); !patched) {
    return patched;
  }
  return subtasks_.remove(actions.remove);
}

// The agent went away while the assignment was on its way, when nobody could know yet which Tasks that
// concerns.
bool TaskReconciler::is_assigned_in_vain(const std::string& namespace_, const api::TaskStatus& status) const {
  return status.phase == api::TaskPhase::Assigned &&
         may_not_keep(parts_.caches.agents.get({namespace_, status.agent_name}).get());
}

ReconcileResult TaskReconciler::remove(const api::Task& task) {
  const kube::ObjectKey key = task.meta.key();
  const Status removed =
      parts_.client.remove(api::kTask, key, {task.meta.uid, task.meta.resource_version, {}});
  if (!removed && removed.error().code == ErrorCode::Conflict) {
    return RequeueAfter{kConflictDelay};
  }
  if (!removed && removed.error().code != ErrorCode::NotFound) {
    return Retry{removed.error().with_context("deleting Task " + key.str() + ", which finished long ago")};
  }
  if (removed && parts_.audit != nullptr) {
    parts_.audit->record(audit_of_removal(task, reason::kTtlAfterFinished));
  }
  // With finalizers it is still there, and the watch will say when it is gone.
  if (task.meta.finalizers.empty()) {
    parts_.caches.tasks.overlay_removed(key, task.meta.uid);
  }
  return Done{};
}

Status TaskReconciler::write(const api::Task& task, const api::TaskStatus& status) {
  const Result<Json> answer = parts_.client.update_status(api::kTask, api::status_update(task, status));
  if (!answer) {
    return answer.error();
  }
  if (const auto entry = audit_entry(task, status, *answer); entry && parts_.audit != nullptr) {
    parts_.audit->record(*entry);
  }
  own_writes_.overlay(parts_.caches.tasks, api::Task::from_json(*answer));
  return {};
}

ReconcileResult TaskReconciler::write_failed(const api::Task& task, const Error& error) {
  const kube::ObjectKey key = task.meta.key();
  if (!may_stand(error)) {
    parts_.scheduler.release(key, task.meta.uid);
  }
  if (error.code == ErrorCode::NotFound) {
    return Done{};
  }
  if (error.code == ErrorCode::Conflict) {
    log_.debug("the Task has changed meanwhile; it is decided again",
               {{"namespace", key.namespace_}, {"name", key.name}});
    return RequeueAfter{kConflictDelay};
  }
  return Retry{error.with_context("writing the status of Task " + key.str())};
}

void TaskReconciler::tell(const api::Task& task, const TaskSnapshot& snapshot, const TaskDecision& decision) {
  if (decision.attempt_ended) {
    const api::AttemptRecord& attempt = decision.status->attempts.back();
    const auto agent = parts_.caches.agents.get({task.meta.namespace_, attempt.agent_name});
    parts_.metrics.attempt_ended(task, attempt, agent.get());
  }
  parts_.metrics.finished(task.status, *decision.status);
  if (decision.status->phase == api::TaskPhase::Assigned && !is_live(task.status.phase)) {
    parts_.metrics.assigned(task, snapshot.outlook.waited);
  }
  for (const TaskEvent& event : decision.events) {
    parts_.events.record(api::reference(task), event.type, event.reason, event.action, event.note);
  }
}

}  // namespace convoke::task
