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

bool is_service(const api::Agent* agent) {
  return agent != nullptr && agent->spec.dispatch.mode == DispatchMode::HTTP;
}

// What was brought to `before` can be stopped at `now`.
bool can_be_asked(const api::Agent& before, const api::Agent* now) {
  return is_service(now) && now->spec.dispatch.http.url == before.spec.dispatch.http.url;
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

// The current assignment was announced.
bool is_announced(const api::Task& task) {
  return task.status.dispatch.assignment_id == task.status.assignment.id;
}

bool is_announced_at(const api::Task& task, const std::string& time) {
  const api::Report& report = task.status.report;
  return is_announced(task) && report.assignment_id == task.status.assignment.id && !time.empty() &&
         report.started_at == time;
}

// It was brought, and its agent has become one that comes for its Tasks: nobody would ask what became of it.
bool is_left_alone(const api::Task& task, const api::Agent* agent) {
  const api::TaskDispatch& dispatch = task.status.dispatch;
  const bool reports_itself =
      !dispatch.accepted_at.empty() && dispatch.location.empty() && dispatch.job_name.empty();
  return agent != nullptr && !brings_tasks_to(agent) && is_live(task) && is_announced(task) &&
         !reports_itself && !is_reported_final(task);
}

bool is_at_most_once(const api::Task& task) {
  return task.spec.delivery == api::Delivery::AtMostOnce;
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
  const auto agent = agent_named(task, task.status.agent_name);
  return is_live(task) && (brings_tasks_to(agent.get()) || is_left_alone(task, agent.get()));
}

void DispatchReconciler::task_changed(const TaskChange& change, runtime::WorkQueue& queue) {
  const kube::ObjectKey key = (change.after ? change.after : change.before)->meta.key();
  const auto useless = useless_request(key);
  if (useless) useless->cancel();
  if (!change.after) task_is_gone(*change.before, queue);
  if (change.after && own_writes_.covers(change.after->meta.resource_version)) return;
  const bool mine = change.after ? concerns(*change.after) : was_at_work(*change.before);
  if (mine || useless) queue.add(key, change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
}

// By what is the case now, since changes may come in any order. That is asked last: what the request is for
// was in the cache before it.
std::shared_ptr<kube::HttpCancel> DispatchReconciler::useless_request(const kube::ObjectKey& key) const {
  Request request;
  {
    const MutexLock lock(mutex_);
    const auto found = requests_.find(key);
    if (found == requests_.end() || found->second.stops) return nullptr;
    request = found->second;
  }
  const bool wanted = is_wanted(parts_.caches.tasks.get(key).get(), request.assignment_id);
  return wanted ? nullptr : request.cancel;
}

void DispatchReconciler::task_is_gone(const api::Task& task, const runtime::WorkQueue& queue) {
  const kube::ObjectKey key = task.meta.key();
  {
    const MutexLock lock(mutex_);
    memories_.erase(key);
  }
  // A Job goes with its Task. A standby, which stops nothing, would gather these without end.
  const bool at_service = task.status.dispatch.job_name.empty();
  if (at_service && was_at_work(task) && !queue.is_held()) stop_beside(task);
  stops_.sweep(key, nullptr);
}

void DispatchReconciler::agent_changed(const AgentChange& change, runtime::WorkQueue& queue) {
  const api::Agent* const before = change.before.get();
  if (same_dispatch(before, change.after.get())) return;
  if (before != nullptr && !brings_tasks_to(before) && !brings_tasks_to(change.after.get())) return;
  const kube::ObjectKey key = (change.after ? change.after : change.before)->meta.key();
  const auto tasks = parts_.caches.tasks.by_index(api::index::kTasksByAgent, key.str());
  if (is_service(before) && !can_be_asked(*before, parts_.caches.agents.get(key).get())) {
    keep_agent(change.before, tasks);
  }
  for (const auto& task : tasks) {
    // Of one that is new, the Tasks may have come before it.
    if (before == nullptr && !concerns(*task)) continue;
    queue.add(task->meta.key(), change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
  }
}

void DispatchReconciler::keep_agent(const StopList::AgentPtr& former, std::vector<StopList::TaskPtr> tasks) {
  std::erase_if(tasks, [](const auto& task) { return !was_at_work(*task); });
  stops_.keep_agent(former, tasks);
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
    if (memory != memories_.end()) {
      ++memory->second.news;
      if (memory->second.failures == 0) memory->second.not_before = {};
    }
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
  slots_.come(key);
  ReconcileResult result = StopList::is_key(key) ? tell_to_stop(key) : look_at(key);
  call(slots_.go(key));
  return result;
}

ReconcileResult DispatchReconciler::look_at(const kube::ObjectKey& key) {
  const auto task = parts_.caches.tasks.get(key);
  stops_.sweep(key, task.get());
  if (task == nullptr) {
    forget(key);
    return Done{};
  }
  Memory memory = recall(key, task->status.assignment.id);
  const auto agent = agent_named(*task, task->status.agent_name);
  Carrier* const carrier = carrier_of(agent.get());
  const bool once = carrier != nullptr && carrier->sends_once();
  const bool begun_here = once || is_announced_at(*task, memory.begun_at);
  const Step step = plan({*task, agent.get(), begun_here ? memory.assignment_id : ""});
  if (must_be_stopped(*task)) {
    if (const auto waits = stop_former(*task, step)) return *waits;
  }
  const bool left_alone = is_left_alone(*task, agent.get());
  if ((step == Step::Nothing || carrier == nullptr) && !left_alone) {
    forget(key);
    return Done{};
  }
  if (memory.unwritten) return finish(*task, *memory.unwritten, memory);
  const bool announced = is_announced(*task);
  if (memory.unaccepted && announced && task->status.dispatch.accepted_at.empty()) {
    return accept(*task, *memory.unaccepted, memory);
  }
  if (memory.withdraws && announced) {
    // Otherwise the service reports by itself, whatever it answered: it has begun.
    return is_announced_at(*task, memory.begun_at) ? withdraw(*task, memory) : ReconcileResult(Done{});
  }
  const bool is_job = !task->status.dispatch.job_name.empty();
  if (left_alone || (announced && is_job != (agent->spec.dispatch.mode == DispatchMode::Job))) {
    return change_mode(*task, std::move(memory));
  }
  return carry(*task, *agent, *carrier, step, std::move(memory));
}

std::shared_ptr<const api::Agent> DispatchReconciler::agent_named(const api::Task& task,
                                                                  const std::string& name) const {
  return name.empty() ? nullptr : parts_.caches.agents.get({task.meta.namespace_, name});
}

Carrier* DispatchReconciler::carrier_of(const api::Agent* agent) const {
  if (!brings_tasks_to(agent)) return nullptr;
  return agent->spec.dispatch.mode == DispatchMode::HTTP ? parts_.http : parts_.job;
}

// --- Act ---

ReconcileResult DispatchReconciler::carry(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                          Step step, Memory memory) {
  switch (step) {
    case Step::Begin:
    case Step::Send:
    case Step::Ask:
      return deliver(task, agent, carrier, step, std::move(memory));
    case Step::OutcomeUnknown:
      return finish_unknown(
          task, "it was being sent when the operator ended: nobody knows whether the service got it",
          std::move(memory));
    case Step::AwaitReport:
    case Step::Nothing:
    case Step::Stop:
      break;
  }
  return Done{};
}

ReconcileResult DispatchReconciler::deliver(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                            Step step, Memory memory) {
  const kube::ObjectKey key = task.meta.key();
  const Duration pause = memory.not_before - parts_.clock.monotonic_now();
  if (pause > Duration::zero()) return RequeueAfter{pause};
  const Duration left = time_left(task, parts_.clock.wall_now());
  if (left <= Duration::zero()) return Done{};  // it times out
  remember(key, memory);                        // for its news
  const bool only_once = step != Step::Ask && is_at_most_once(task);
  api::Task brought = task;
  std::optional<ReconcileResult> not_announced;
  Delivery delivery;
  bool cancelled = false;
  const Turn turn = with_slot(
      key, agent, {nullptr, task.status.assignment.id, false, only_once}, [&](kube::HttpCancel& cancel) {
        if (step == Step::Begin) {
          not_announced = announce(task, carrier.announce(task, agent), memory, &brought);
        }
        if (not_announced) return;
        delivery = step == Step::Ask ? carrier.ask(brought, agent, left, cancel)
                                     : carrier.send(brought, agent, left, cancel);
        cancelled = cancel.cancelled();
      });
  if (turn != Turn::Taken && step == Step::Send && only_once && !carrier.sends_once()) {
    memory.trouble = "it waits for its turn";
    return withdraw(task, std::move(memory));
  }
  if (turn != Turn::Taken) return Done{};
  if (not_announced) return *not_announced;
  const bool nothing_known = delivery.kind == Delivery::Kind::TryAgain;
  if (cancelled && nothing_known) {
    if (only_once && !delivery.not_carried_out) never_send_again(key, std::move(memory));
    return Done{};
  }
  return settle(brought, carrier, step, delivery, std::move(memory));
}

// It may have come there. Who finds it announced, but not by this memory, sends nothing.
void DispatchReconciler::never_send_again(const kube::ObjectKey& key, Memory memory) {
  memory.begun_at.clear();
  remember(key, memory);
}

// It is remembered before the write, and kept if its answer is lost: nothing has been sent all the same.
std::optional<ReconcileResult> DispatchReconciler::announce(const api::Task& task,
                                                            const api::TaskDispatch& dispatch, Memory& memory,
                                                            api::Task* announced) {
  // What was announced before is no more: it was withdrawn.
  if (memory.withdraws) memory.begun_at.clear();
  memory.withdraws = false;
  if (memory.begun_at.empty()) memory.begun_at = now_text();
  remember(task.meta.key(), memory);
  return write(task, begin_patch(task, dispatch, memory.begun_at), announced);
}

ReconcileResult DispatchReconciler::settle(const api::Task& task, const Carrier& carrier, Step step,
                                           const Delivery& delivery, Memory memory) {
  if (delivery.kind == Delivery::Kind::TryAgain) {
    if (step != Step::Ask && is_at_most_once(task) && !delivery.not_carried_out) {
      return finish_unknown(task, delivery.trouble, std::move(memory));
    }
    return try_later(task, carrier, step, delivery, std::move(memory));
  }
  memory.failures = 0;
  memory.not_before = parts_.clock.monotonic_now() + delivery.ask_after.value_or(Duration::zero());
  remember(task.meta.key(), memory);
  if (delivery.kind == Delivery::Kind::Final) {
    if (delivery.is_our_verdict) stop_beside(task);
    return finish(task, delivery.outcome, std::move(memory));
  }
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

ReconcileResult DispatchReconciler::try_later(const api::Task& task, const Carrier& carrier, Step step,
                                              const Delivery& delivery, Memory memory) {
  const Duration pause =
      std::min(kFirstPause * (1 << std::min(memory.failures, kMaxDoublings)), kLongestPause);
  const auto jittered = std::chrono::duration_cast<Duration>(pause * (0.5 + 0.5 * parts_.random.uniform()));
  const Duration wait = std::max(jittered, delivery.retry_after.value_or(Duration::zero()));
  ++memory.failures;
  memory.not_before = parts_.clock.monotonic_now() + wait;
  const std::string before = std::exchange(
      memory.trouble, api::cut_text("not reached, it is tried again: " + delivery.trouble, 1024));
  remember(task.meta.key(), memory);
  if (memory.trouble != before) {
    log_.info("an agent was not reached", {{"namespace", task.meta.namespace_},
                                           {"name", task.meta.name},
                                           {"agent", task.status.agent_name},
                                           {"error", delivery.trouble}});
  }
  // A Job may have been made though its answer was lost, and is found by its name.
  if (step != Step::Ask && is_at_most_once(task) && !carrier.sends_once()) {
    return withdraw(task, std::move(memory));
  }
  Outcome waiting;
  waiting.progress = task.status.report.progress;
  waiting.message = memory.trouble;
  if (waiting.message != task.status.report.message) {
    if (auto failed = write(task, report_patch(task, waiting, now_text()))) return *failed;
  }
  return RequeueAfter{wait};
}

// Remembered until it is written: a withdrawal that comes late must not find that it was sent after all.
ReconcileResult DispatchReconciler::withdraw(const api::Task& task, Memory memory) {
  memory.withdraws = true;
  remember(task.meta.key(), memory);
  if (auto failed = write(task, withdraw_patch(task, memory.begun_at, memory.trouble))) return *failed;
  const Duration pause = memory.not_before - parts_.clock.monotonic_now();
  return RequeueAfter{std::max(pause, Duration::zero())};
}

ReconcileResult DispatchReconciler::finish(const api::Task& task, const Outcome& outcome, Memory memory) {
  memory.unwritten = outcome;
  remember(task.meta.key(), memory);
  if (auto failed = write(task, report_patch(task, outcome, now_text()))) return *failed;
  forget(task.meta.key());
  return Done{};
}

// The service may be at work on it, for nothing.
ReconcileResult DispatchReconciler::finish_unknown(const api::Task& task, const std::string& why,
                                                   Memory memory) {
  if (task.status.dispatch.job_name.empty()) stop_beside(task);
  return finish(task, failure(code::kOutcomeUnknown, why + "; it must not be sent twice", false),
                std::move(memory));
}

// --- What is to be stopped ---

// The report comes last: until then the next process finds what is to be stopped as well.
ReconcileResult DispatchReconciler::change_mode(const api::Task& task, Memory memory) {
  if (task.status.dispatch.job_name.empty()) {
    stop_beside(task);
  } else if (const auto pause = stop_job(task)) {
    return RequeueAfter{*pause};
  }
  return finish(task, failure(code::kModeChanged, "the agent's dispatch.mode was changed", true),
                std::move(memory));
}

std::optional<ReconcileResult> DispatchReconciler::stop_former(const api::Task& task, Step step) {
  if (!task.status.dispatch.job_name.empty()) {
    if (const auto pause = stop_job(task)) return RequeueAfter{*pause};
  } else {
    stop_beside(task);
  }
  if (step == Step::Begin) return {};  // which overwrites status.dispatch
  if (!stops_.is_over(task)) return Done{};
  if (auto failed = write(task, forget_patch(task))) return failed;
  return is_live(task) ? ReconcileResult(RequeueAfter{Duration::zero()}) : ReconcileResult(Done{});
}

std::optional<Duration> DispatchReconciler::stop_job(const api::Task& task) {
  stops_.add(task);
  if (stops_.is_over(task)) return {};
  // Its agent need not be there any more.
  const auto agent = agent_named(task, task.status.dispatch.agent_name);
  kube::HttpCancel cancel;
  const bool done = parts_.job == nullptr || parts_.job->stop(task, agent ? *agent : api::Agent(), cancel);
  return stops_.tried(StopList::key_of(task), done);
}

void DispatchReconciler::stop_beside(const api::Task& task) {
  if (stops_.add(task)) queue_->add(StopList::key_of(task));
}

ReconcileResult DispatchReconciler::tell_to_stop(const kube::ObjectKey& stop_key) {
  const auto order = stops_.get(stop_key);
  if (!order) return Done{};
  const api::Task& task = *order->task;
  std::vector<StopList::AgentPtr> asked = {order->former, agent_named(task, task.status.dispatch.agent_name)};
  std::erase_if(asked, [](const auto& agent) { return !is_service(agent.get()); });
  bool done = asked.empty() || parts_.http == nullptr;
  if (!done) {
    const Turn turn =
        with_slot(stop_key, *asked.back(), {nullptr, task.status.dispatch.assignment_id, true, false},
                  [&](kube::HttpCancel& cancel) { done = stop_at(task, asked, cancel); });
    if (turn != Turn::Taken) return Done{};
  }
  if (const auto pause = stops_.tried(stop_key, done)) return RequeueAfter{*pause};
  queue_->add(task.meta.key());
  return Done{};
}

// At all of them, since it may have been sent again after a change of the address.
bool DispatchReconciler::stop_at(const api::Task& task, const std::vector<StopList::AgentPtr>& agents,
                                 kube::HttpCancel& cancel) {
  bool done = true;
  for (const auto& agent : agents) done = parts_.http->stop(task, *agent, cancel) && done;
  return done;
}

// --- Write and send ---

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

DispatchReconciler::Turn DispatchReconciler::with_slot(const kube::ObjectKey& key, const api::Agent& agent,
                                                       Request request,
                                                       const std::function<void(kube::HttpCancel&)>& use) {
  const int limit = std::min(agent.spec.capacity, per_agent_);
  AgentSlots::Called called;
  const bool entered = slots_.enter(agent.meta.key(), limit, key, called);
  call(called);  // now, since the request may take long
  if (!entered) return Turn::NoSlot;
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
  call(slots_.leave(agent.meta.key()));
  return useless ? Turn::Useless : Turn::Taken;
}

void DispatchReconciler::call(const AgentSlots::Called& called) {
  for (const kube::ObjectKey& key : called) queue_->add(key);
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
  Memory& known = memories_[key];
  const bool is_same = known.assignment_id == memory.assignment_id;
  const unsigned news = is_same ? known.news : memory.news;
  known = memory;
  if (news != memory.news) {
    known.news = news;
    known.not_before = {};
  }
}

void DispatchReconciler::forget(const kube::ObjectKey& key) {
  {
    const MutexLock lock(mutex_);
    memories_.erase(key);
  }
  call(slots_.give_up(key));
}

std::string DispatchReconciler::now_text() const {
  return format_micro_time(parts_.clock.wall_now());
}

}  // namespace convoke::dispatch
