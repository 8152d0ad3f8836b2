#include "reconcilers/dispatch/dispatch_reconciler.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "controller/base/time_format.h"
#include "controller/kube/errors.h"
#include "reconcilers/dispatch/dispatch_patch.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

using api::DispatchMode;
using runtime::Done;
using runtime::ReconcileResult;
using runtime::RequeueAfter;
using runtime::Retry;

constexpr Duration kFirstPause = std::chrono::seconds(1);
constexpr Duration kLongestPause = std::chrono::seconds(30);
constexpr Duration kConflictDelay = std::chrono::seconds(1);
constexpr int kMaxDoublings = 5;
constexpr int kMaxStopTries = 5;

bool is_brought(const api::Agent* agent) {
  return agent != nullptr && agent->spec.dispatch.mode != DispatchMode::Pull;
}

bool same_dispatch(const api::Agent* before, const api::Agent* after) {
  return before != nullptr && after != nullptr && before->spec.dispatch == after->spec.dispatch;
}

// Whether a request for that assignment is of any use still.
bool is_wanted(const api::Task* task, const std::string& assignment_id) {
  return task != nullptr && is_live(*task) && task->status.assignment.id == assignment_id &&
         !is_reported_final(*task);
}

bool was_at_work(const api::Task& task) {
  return must_be_stopped(task) ||
         (is_live(task) && task.status.dispatch.assignment_id == task.status.assignment.id &&
          !is_reported_final(task));
}

}  // namespace

DispatchReconciler::DispatchReconciler(DispatchParts parts, Logger log, int workers)
    : parts_(parts), log_(std::move(log)), per_agent_(std::max(1, workers / 4)) {}

// --- What changed ---

void DispatchReconciler::watch(runtime::WorkQueue& queue) {
  queue_ = &queue;
  parts_.caches.tasks.add_handler([this, &queue](const TaskChange& change) { task_changed(change, queue); });
  parts_.caches.agents.add_handler(
      [this, &queue](const AgentChange& change) { agent_changed(change, queue); });
  parts_.jobs.add_handler([this, &queue](const JobChange& change) { job_changed(change, queue); });
}

bool DispatchReconciler::concerns(const api::Task& task) const {
  if (must_be_stopped(task)) return true;
  return is_live(task) && is_brought(agent_named(task, task.status.agent_name).get());
}

void DispatchReconciler::task_changed(const TaskChange& change, runtime::WorkQueue& queue) {
  const kube::ObjectKey key = (change.after ? change.after : change.before)->meta.key();
  std::shared_ptr<kube::HttpCancel> useless;
  {
    const MutexLock lock(mutex_);
    const auto request = requests_.find(key);
    if (request != requests_.end() && !request->second.stops &&
        !is_wanted(change.after.get(), request->second.assignment_id)) {
      useless = request->second.cancel;
    }
    if (!change.after && was_at_work(*change.before)) orphans_[key] = change.before;
    if (!change.after && !was_at_work(*change.before)) memories_.erase(key);
  }
  if (useless) useless->cancel();
  if (change.after && own_writes_.covers(change.after->meta.resource_version)) return;
  const bool mine = change.after ? concerns(*change.after) : was_at_work(*change.before);
  if (mine || useless) queue.add(key, change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
}

void DispatchReconciler::agent_changed(const AgentChange& change, runtime::WorkQueue& queue) {
  if (same_dispatch(change.before.get(), change.after.get())) return;
  const kube::ObjectMeta& meta = (change.after ? change.after : change.before)->meta;
  if (!is_brought(change.before.get()) && !is_brought(change.after.get())) return;
  for (const auto& task : parts_.caches.tasks.by_index(api::index::kTasksByAgent, meta.key().str())) {
    queue.add(task->meta.key(), change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
  }
}

// The end of a Job is looked at at once; what happens before it is asked for now and then.
void DispatchReconciler::job_changed(const JobChange& change, runtime::WorkQueue& queue) {
  const Job& job = change.after ? *change.after : *change.before;
  const kube::OwnerReference* owner = job.meta.controller();
  const bool ended = !change.after || !job.finished.empty() || job.meta.being_deleted();
  if (owner == nullptr || owner->kind != api::kTask.kind || !ended) return;
  const kube::ObjectKey key{job.meta.namespace_, owner->name};
  {
    const MutexLock lock(mutex_);
    const auto memory = memories_.find(key);
    if (memory != memories_.end() && memory->second.failures == 0) memory->second.not_before = {};
  }
  queue.add(key, change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
}

void DispatchReconciler::stop(bool all) {
  std::vector<std::shared_ptr<kube::HttpCancel>> ended;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [key, request] : requests_) {
      if (all || !request.only_once) ended.push_back(request.cancel);
    }
  }
  for (const auto& cancel : ended) cancel->cancel();
}

// --- Observe ---

ReconcileResult DispatchReconciler::reconcile(const kube::ObjectKey& key) {
  if (const auto orphan = take_orphan(key)) return stop_assignment(*orphan, true);
  const auto task = parts_.caches.tasks.get(key);
  if (task == nullptr) {
    forget(key);
    return Done{};
  }
  Memory memory = recall(key, task->status.assignment.id);
  const auto agent = agent_named(*task, task->status.agent_name);
  Carrier* const carrier = carrier_of(agent.get());
  const bool once = carrier != nullptr && carrier->sends_once();
  const std::string begun_here = memory.begun_here || once ? memory.assignment_id : "";
  const Step step = plan({*task, agent.get(), begun_here});
  if (step == Step::Stop) return stop_assignment(*task, false);
  if (step == Step::Nothing || carrier == nullptr) {
    forget(key);
    return Done{};
  }
  if (memory.unwritten) return finish(*task, *memory.unwritten, memory);
  if (memory.unaccepted && step == Step::Send) return accept(*task, *memory.unaccepted, memory);
  const bool is_job = !task->status.dispatch.job_name.empty();
  if (step != Step::Begin && is_job != (agent->spec.dispatch.mode == DispatchMode::Job)) {
    return finish(*task, failure(code::kModeChanged, "the agent's dispatch.mode was changed", true), memory);
  }
  return carry(*task, *agent, *carrier, step, std::move(memory));
}

std::shared_ptr<const api::Agent> DispatchReconciler::agent_named(const api::Task& task,
                                                                  const std::string& name) const {
  return name.empty() ? nullptr : parts_.caches.agents.get({task.meta.namespace_, name});
}

Carrier* DispatchReconciler::carrier_of(const api::Agent* agent) const {
  if (!is_brought(agent)) return nullptr;
  return agent->spec.dispatch.mode == DispatchMode::HTTP ? parts_.http : parts_.job;
}

// --- Act ---

ReconcileResult DispatchReconciler::carry(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                          Step step, Memory memory) {
  switch (step) {
    case Step::Begin:
      return begin(task, agent, carrier, std::move(memory));
    case Step::Send:
    case Step::Ask:
      return deliver(task, agent, carrier, step, std::move(memory));
    case Step::OutcomeUnknown:
      return finish(task,
                    failure(code::kOutcomeUnknown,
                            "the operator was restarted while it was being sent: nobody knows whether the "
                            "service got it, and it must not be sent twice",
                            false),
                    std::move(memory));
    case Step::AwaitReport:
    case Step::Nothing:
    case Step::Stop:
      break;
  }
  return Done{};
}

ReconcileResult DispatchReconciler::begin(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                          Memory memory) {
  // Before the write: if its answer is lost, nothing has been sent all the same.
  memory.begun_here = true;
  remember(task.meta.key(), memory);
  api::Task begun;
  const Json patch = begin_patch(task, carrier.announce(task, agent), now_text());
  if (auto failed = write(task, patch, &begun)) return *failed;
  return deliver(begun, agent, carrier, Step::Send, std::move(memory));
}

ReconcileResult DispatchReconciler::deliver(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                            Step step, Memory memory) {
  const Duration pause = memory.not_before - parts_.clock.monotonic_now();
  if (pause > Duration::zero()) return RequeueAfter{pause};
  const Duration left = time_left(task, parts_.clock.wall_now());
  if (left <= Duration::zero()) return Done{};  // it times out
  Delivery delivery;
  const bool only_once = step == Step::Send && task.spec.delivery == api::Delivery::AtMostOnce;
  bool cancelled = false;
  const Turn turn = with_slot(task, agent, {nullptr, task.status.assignment.id, false, only_once},
                              [&](kube::HttpCancel& cancel) {
                                delivery = step == Step::Send ? carrier.send(task, agent, left, cancel)
                                                              : carrier.ask(task, agent, left, cancel);
                                cancelled = cancel.cancelled();
                              });
  const bool nothing_known = delivery.kind == Delivery::Kind::TryAgain;
  if (turn != Turn::Taken || (cancelled && nothing_known)) return Done{};
  return settle(task, step, delivery, std::move(memory));
}

ReconcileResult DispatchReconciler::settle(const api::Task& task, Step step, const Delivery& delivery,
                                           Memory memory) {
  if (delivery.kind == Delivery::Kind::TryAgain) {
    const bool at_most_once = step == Step::Send && task.spec.delivery == api::Delivery::AtMostOnce;
    if (at_most_once && !delivery.not_carried_out) {
      return finish(task,
                    failure(code::kOutcomeUnknown, delivery.trouble + "; it must not be sent twice", false),
                    std::move(memory));
    }
    return try_later(task, delivery, std::move(memory));
  }
  memory.failures = 0;
  memory.not_before = parts_.clock.monotonic_now() + delivery.ask_after.value_or(Duration::zero());
  remember(task.meta.key(), memory);
  if (delivery.kind == Delivery::Kind::Final) return finish(task, delivery.outcome, std::move(memory));
  if (delivery.kind == Delivery::Kind::Accepted) return accept(task, delivery, std::move(memory));
  const api::Report& told = task.status.report;
  const bool news = told.progress != delivery.outcome.progress || told.message != delivery.outcome.message;
  if (news) {
    if (auto failed = write(task, report_patch(task, delivery.outcome, now_text()))) return *failed;
  }
  if (delivery.ask_after) return RequeueAfter{*delivery.ask_after};
  return Done{};
}

// Remembered until it is written: it must not be sent again only because the API was away.
ReconcileResult DispatchReconciler::accept(const api::Task& task, const Delivery& delivery, Memory memory) {
  const Delivery accepted = delivery;
  memory.unaccepted = accepted;
  remember(task.meta.key(), memory);
  const Json patch = accepted_patch(task, accepted.outcome, accepted.dispatch, now_text());
  if (auto failed = write(task, patch)) return *failed;
  memory.unaccepted.reset();
  remember(task.meta.key(), memory);
  if (accepted.ask_after) return RequeueAfter{*accepted.ask_after};
  return Done{};
}

ReconcileResult DispatchReconciler::try_later(const api::Task& task, const Delivery& delivery,
                                              Memory memory) {
  const Duration pause =
      std::min(kFirstPause * (1 << std::min(memory.failures, kMaxDoublings)), kLongestPause);
  const auto jittered = std::chrono::duration_cast<Duration>(pause * (0.5 + 0.5 * parts_.random.uniform()));
  const Duration wait = std::max(jittered, delivery.retry_after.value_or(Duration::zero()));
  ++memory.failures;
  memory.not_before = parts_.clock.monotonic_now() + wait;
  remember(task.meta.key(), memory);
  Outcome waiting;
  waiting.progress = task.status.report.progress;
  waiting.message = api::cut_text("not reached, it is tried again: " + delivery.trouble, 1024);
  if (waiting.message != task.status.report.message) {
    log_.info("an agent was not reached", {{"namespace", task.meta.namespace_},
                                           {"name", task.meta.name},
                                           {"agent", task.status.agent_name},
                                           {"error", delivery.trouble}});
    if (auto failed = write(task, report_patch(task, waiting, now_text()))) return *failed;
  }
  return RequeueAfter{wait};
}

ReconcileResult DispatchReconciler::finish(const api::Task& task, const Outcome& outcome, Memory memory) {
  memory.unwritten = outcome;
  remember(task.meta.key(), memory);
  if (auto failed = write(task, report_patch(task, outcome, now_text()))) return *failed;
  forget(task.meta.key());
  return Done{};
}

std::optional<bool> DispatchReconciler::stop_once(const api::Task& task, bool orphaned) {
  const auto agent = agent_named(task, task.status.dispatch.agent_name);
  if (!task.status.dispatch.job_name.empty()) {
    // Without the Task it is deleted anyway, and its agent need not be there any more.
    kube::HttpCancel cancel;
    return orphaned || parts_.job == nullptr || parts_.job->stop(task, agent ? *agent : api::Agent(), cancel);
  }
  const bool is_service = agent != nullptr && agent->spec.dispatch.mode == DispatchMode::HTTP;
  if (!is_service || parts_.http == nullptr) return true;
  bool done = false;
  const Turn turn =
      with_slot(task, *agent, {nullptr, task.status.dispatch.assignment_id, true, false},
                [&](kube::HttpCancel& cancel) { done = parts_.http->stop(task, *agent, cancel); });
  if (turn != Turn::Taken && !orphaned) return {};
  return done;
}

ReconcileResult DispatchReconciler::stop_assignment(const api::Task& task, bool orphaned) {
  const kube::ObjectKey key = task.meta.key();
  Memory memory = recall(key, task.status.dispatch.assignment_id);
  const std::optional<bool> done = stop_once(task, orphaned);
  if (!done) return Done{};
  const int tries = is_live(task) ? 1 : kMaxStopTries;  // another assignment waits for this
  if (!*done && ++memory.stop_tries < tries) {
    remember(key, memory);
    if (orphaned) {
      const MutexLock lock(mutex_);
      orphans_.try_emplace(key, std::make_shared<const api::Task>(task));
    }
    return RequeueAfter{kFirstPause * (1 << memory.stop_tries)};
  }
  forget(key);
  if (orphaned) return RequeueAfter{Duration::zero()};  // there may be a successor of that name
  if (auto failed = write(task, forget_patch(task))) return *failed;
  return is_live(task) ? ReconcileResult(RequeueAfter{Duration::zero()}) : ReconcileResult(Done{});
}

std::optional<ReconcileResult> DispatchReconciler::write(const api::Task& task, const Json& patch,
                                                         api::Task* written) {
  const kube::ObjectKey key = task.meta.key();
  kube::PatchOptions options;
  options.type = kube::PatchType::Json;
  options.subresource = "status";
  const Result<Json> answer = parts_.client.patch(api::kTask, key, patch, options);
  if (!answer) {
    const Error& error = answer.error();
    if (error.code == ErrorCode::NotFound) return Done{};
    // The watch should bring what is the case sooner; this is for the case that there is no news.
    if (error.code == ErrorCode::Conflict) return RequeueAfter{kConflictDelay};
    Memory memory = recall(key, task.status.assignment.id);
    if (memory.unwritten && kube::is_about_the_object(error)) {
      memory.unwritten = failure(code::kInvalidAnswer,
                                 "the API server refuses what the agent reported: " + error.message, false);
      remember(key, memory);
    }
    return Retry{error.with_context("reporting for Task " + key.str())};
  }
  api::Task now = api::Task::from_json(*answer);
  if (written != nullptr) *written = now;
  own_writes_.overlay(parts_.caches.tasks, std::move(now));
  return {};
}

DispatchReconciler::Turn DispatchReconciler::with_slot(const api::Task& task, const api::Agent& agent,
                                                       Request request,
                                                       const std::function<void(kube::HttpCancel&)>& use) {
  const kube::ObjectKey key = task.meta.key();
  const int limit = std::min(agent.spec.capacity, per_agent_);
  if (!slots_.enter(agent.meta.key(), limit, key)) return Turn::NoSlot;
  const auto cancel = std::make_shared<kube::HttpCancel>();
  const std::string assignment_id = request.assignment_id;
  const bool stops = request.stops;
  request.cancel = cancel;
  bool useless = false;
  {
    const MutexLock lock(mutex_);
    requests_[key] = std::move(request);
    useless = stopping_;
  }
  // What changes from now on finds the request.
  useless = useless || (!stops && !is_wanted(parts_.caches.tasks.get(key).get(), assignment_id));
  if (!useless) use(*cancel);
  {
    const MutexLock lock(mutex_);
    requests_.erase(key);
  }
  for (const kube::ObjectKey& waiting : slots_.leave(agent.meta.key())) queue_->add(waiting);
  return useless ? Turn::Useless : Turn::Taken;
}

// --- Memory ---

DispatchReconciler::Memory DispatchReconciler::recall(const kube::ObjectKey& key,
                                                      const std::string& assignment_id) const {
  const MutexLock lock(mutex_);
  const auto known = memories_.find(key);
  if (known != memories_.end() && known->second.assignment_id == assignment_id) return known->second;
  Memory fresh;
  fresh.assignment_id = assignment_id;
  return fresh;
}

void DispatchReconciler::remember(const kube::ObjectKey& key, const Memory& memory) {
  const MutexLock lock(mutex_);
  memories_[key] = memory;
}

void DispatchReconciler::forget(const kube::ObjectKey& key) {
  const MutexLock lock(mutex_);
  memories_.erase(key);
}

std::shared_ptr<const api::Task> DispatchReconciler::take_orphan(const kube::ObjectKey& key) {
  const MutexLock lock(mutex_);
  const auto found = orphans_.find(key);
  if (found == orphans_.end()) return nullptr;
  auto task = std::move(found->second);
  orphans_.erase(found);
  return task;
}

std::string DispatchReconciler::now_text() const {
  return format_micro_time(parts_.clock.wall_now());
}

}  // namespace convoke::dispatch
