#include "reconcilers/agent/agent_reconciler.h"

#include <algorithm>
#include <string>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/kube/lease.h"

namespace convoke::agent {
namespace {

using api::AgentPhase;
using runtime::Done;
using runtime::ReconcileResult;
using runtime::RequeueAfter;
using runtime::Retry;

// After a conflict the watch should bring the news sooner; this is for the case that there are none.
constexpr Duration kConflictDelay = std::chrono::seconds(1);
// Between two tries to verify that an agent is silent.
constexpr Duration kVerifyDelay = std::chrono::seconds(5);
// Of the API server, when it is there.
constexpr Duration kSlowAnswer = std::chrono::seconds(1);

kube::ObjectKey lease_key(const kube::ObjectKey& agent) {
  return {agent.namespace_, api::heartbeat_lease_name(agent.name)};
}

bool is_alive(const api::Agent* agent) {
  return agent != nullptr &&
         (agent->status.phase == AgentPhase::Ready || agent->status.phase == AgentPhase::Degraded ||
          agent->status.phase == AgentPhase::Draining);
}

bool holds(const api::Task& task, const api::AttemptRecord& attempt) {
  const auto& attempts = task.status.attempts;
  return std::find(attempts.begin(), attempts.end(), attempt) != attempts.end();
}

// The agent whose load the Task is; empty if none.
std::string loads(const api::Task* task) {
  const bool live = task != nullptr && is_live(task->status.phase);
  return live ? task->status.agent_name : "";
}

}  // namespace

AgentReconciler::AgentReconciler(AgentParts parts, Logger log, AgentTiming timing)
    : parts_(parts),
      log_(std::move(log)),
      timing_(timing),
      heartbeats_(parts.clock),
      metrics_(parts.registry) {}

// --- What changed ---

void AgentReconciler::watch(runtime::WorkQueue& queue) {
  queue_ = &queue;
  parts_.caches.heartbeats.add_handler(
      [this, &queue](const LeaseChange& change) { lease_changed(change, queue); });
  parts_.caches.agents.add_handler(
      [this, &queue](const AgentChange& change) { agent_changed(change, queue); });
  parts_.caches.tasks.add_handler([this, &queue](const TaskChange& change) { task_changed(change, queue); });
}

void AgentReconciler::start() {
  {
    const MutexLock lock(mutex_);
    leads_ = true;
  }
  for (const kube::ObjectKey& key : attempts_.agents()) {
    if (parts_.caches.agents.get(key) == nullptr) {
      attempts_.forget(key);
    }
  }
}

// A plain renewal of a living agent ends here.
void AgentReconciler::lease_changed(const LeaseChange& change, runtime::WorkQueue& queue) {
  const auto agent = HeartbeatMonitor::agent_of(change.after ? *change.after : *change.before);
  if (!agent) {
    return;
  }
  const auto known = parts_.caches.agents.get(*agent);
  if (!change.after) {
    if (known == nullptr) {
      forget(*agent);
    }
    return;  // the check that is due anyway will find it silent
  }
  if (known != nullptr && !pulls(*known)) {
    return;  // it is asked, and needs no Lease
  }
  const bool remarkable = heartbeats_.observe(*change.after);
  if (known != nullptr && (remarkable || !is_alive(known.get()))) {
    queue.add(*agent, change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
  }
}

void AgentReconciler::heard(const kube::ObjectKey& agent) {
  kube::Lease beat;  // as if it had renewed one
  beat.meta.namespace_ = agent.namespace_;
  beat.meta.name = api::heartbeat_lease_name(agent.name);
  beat.meta.labels[api::label::kAgent] = agent.name;
  beat.renew_time = format_micro_time(parts_.clock.wall_now());
  const bool remarkable = heartbeats_.observe(beat);
  {
    const MutexLock lock(mutex_);
    memories_[agent].trouble.reset();
  }
  const auto known = parts_.caches.agents.get(agent);
  if (remarkable || !is_alive(known.get())) {
    queue_->add(agent);
  }
}

void AgentReconciler::not_heard(const kube::ObjectKey& agent, const AgentTrouble& trouble) {
  bool news = false;
  {
    const MutexLock lock(mutex_);
    std::optional<AgentTrouble>& known = memories_[agent].trouble;
    news = known != trouble;
    known = trouble;
  }
  if (news) {
    queue_->add(agent);
  }
}

void AgentReconciler::agent_changed(const AgentChange& change, runtime::WorkQueue& queue) {
  metrics_.agent_changed(change.before.get(), change.after.get());
  circuit_seen(change);
  if (change.after) {
    attempts_.uncounted(*change.after);  // a standby forgets what the leader has counted
  } else {
    const kube::ObjectKey key = change.before->meta.key();
    attempts_.forget(key);
    if (parts_.caches.agents.get(key) == nullptr) {
      forget_unless_it_beats(key);  // on a standby nobody else will
    }
  }
  const bool same = change.before && change.after && change.before->status == change.after->status &&
                    change.before->meta.generation == change.after->meta.generation;
  if (same || (change.after && own_writes_.covers(change.after->meta.resource_version))) {
    return;
  }
  queue.add((change.after ? change.after : change.before)->meta.key(),
            change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
}

// For how long the circuit has been as it is must survive a restart, and must not depend on the wall clock
// otherwise.
void AgentReconciler::circuit_seen(const AgentChange& change) {
  if (!change.after || change.after->status.circuit_changed_at.empty()) {
    return;
  }
  const api::Agent& agent = *change.after;
  Duration ago{};
  if (!change.before) {
    const auto changed = parse_time(agent.status.circuit_changed_at);
    const Duration by_wall = changed ? parts_.clock.wall_now() - *changed : Duration::zero();
    ago = std::clamp(by_wall, Duration::zero(), agent.spec.circuit_breaker.open_for);
  }
  const MutexLock lock(mutex_);
  Memory& memory = memories_[agent.meta.key()];
  if (memory.circuit_changed_at != agent.status.circuit_changed_at) {
    memory.circuit_changed_at = agent.status.circuit_changed_at;
    memory.circuit_changed = parts_.clock.monotonic_now() - ago;
  }
}

// An end that may change the circuit is looked at at once.
void AgentReconciler::attempts_changed(const TaskChange& change, runtime::WorkQueue& queue) {
  if (change.before && change.after && change.before->status.attempts == change.after->status.attempts) {
    return;
  }
  forget_attempts(change);
  if (!change.after) {
    return;
  }
  bool leads = false;
  {
    const MutexLock lock(mutex_);
    leads = leads_;
  }
  const api::Task& task = *change.after;
  for (const api::AttemptRecord& attempt : task.status.attempts) {
    const auto ended = EndedAttempt::of(task, attempt);
    if (!ended || (change.before && holds(*change.before, attempt))) {
      continue;
    }
    const kube::ObjectKey key{task.meta.namespace_, attempt.agent_name};
    const auto agent = parts_.caches.agents.get(key);
    if (agent == nullptr && leads) {
      continue;  // a standby may hear of the Agent later
    }
    attempts_.add(key, *ended, leads && change.before);
    const bool urgent =
        !ended->succeeded || (agent != nullptr && agent->status.circuit != api::CircuitState::Closed);
    queue.add_after(key, urgent && !change.initial ? Duration::zero() : timing_.get().counter_interval);
  }
}

void AgentReconciler::forget_attempts(const TaskChange& change) {
  if (!change.before) {
    return;
  }
  const api::Task& task = *change.before;
  for (const api::AttemptRecord& attempt : task.status.attempts) {
    const kube::ObjectKey key{task.meta.namespace_, attempt.agent_name};
    const auto ended = EndedAttempt::of(task, attempt);
    const bool is_gone = !change.after || !holds(*change.after, attempt);
    if (ended && is_gone && parts_.caches.agents.get(key) == nullptr) {
      attempts_.forget(key, *ended);
    }
  }
}

void AgentReconciler::task_changed(const TaskChange& change, runtime::WorkQueue& queue) {
  attempts_changed(change, queue);
  const std::string before = loads(change.before.get());
  const std::string after = loads(change.after.get());
  if (before == after) {
    return;
  }
  const std::string& namespace_ = (change.after ? change.after : change.before)->meta.namespace_;
  for (const std::string& name : {before, after}) {
    if (!name.empty()) {
      queue.add_after({namespace_, name}, timing_.get().counter_interval);
    }
  }
}

// --- Observe ---

ReconcileResult AgentReconciler::reconcile(const kube::ObjectKey& key) {
  const auto agent = parts_.caches.agents.get(key);
  if (agent == nullptr) {
    forget_unless_it_beats(key);
    return Done{};
  }
  if (pulls(*agent) && seems_lost(observe(*agent)) && !verify_silence(*agent)) {
    return RequeueAfter{kVerifyDelay};
  }
  const AgentSnapshot snapshot = observe(*agent);
  return act(snapshot, decide(snapshot, timing_.get()));
}

AgentSnapshot AgentReconciler::observe(const api::Agent& agent) {
  const kube::ObjectKey key = agent.meta.key();
  if (agent.status.phase != AgentPhase::Pending) {
    heartbeats_.expect(key);  // it beat once, maybe before this process began to look
  }
  const auto heartbeat = heartbeats_.last(key);
  const std::size_t active = parts_.caches.tasks.count_by_index(api::index::kTasksByAgent, key.str());
  std::optional<Duration> since_last_write;
  Duration circuit_unchanged_for{};
  std::optional<AgentTrouble> trouble;
  {
    const MutexLock lock(mutex_);
    const auto memory = memories_.find(key);
    const MonotonicTime now = parts_.clock.monotonic_now();
    if (memory != memories_.end()) {
      trouble = memory->second.trouble;
    }
    if (memory != memories_.end() && memory->second.last_write) {
      since_last_write = now - *memory->second.last_write;
    }
    if (memory != memories_.end() && memory->second.circuit_changed_at == agent.status.circuit_changed_at) {
      circuit_unchanged_for = now - memory->second.circuit_changed;
    }
  }
  return {agent,
          heartbeat,
          heartbeat ? heartbeats_.age(*heartbeat) : Duration::zero(),
          static_cast<int>(active),
          since_last_write,
          parts_.clock.wall_now(),
          attempts_.uncounted(agent),
          circuit_unchanged_for,
          std::move(trouble)};
}

bool AgentReconciler::seems_lost(const AgentSnapshot& snapshot) const {
  return snapshot.agent.status.phase != AgentPhase::Offline && phase_of(snapshot) == AgentPhase::Offline;
}

bool AgentReconciler::verify_silence(const api::Agent& agent) {
  const kube::ObjectKey key = agent.meta.key();
  const MonotonicTime asked_at = parts_.clock.monotonic_now();
  const Result<Json> answer = parts_.client.get(kube::kLease, lease_key(key));
  // An API server that was away a moment ago has kept the agent waiting as well.
  const bool slow = parts_.clock.monotonic_now() - asked_at > kSlowAnswer;
  const bool asked = !slow && (answer || answer.error().code == ErrorCode::NotFound);
  bool api_was_away = false;
  {
    const MutexLock lock(mutex_);
    api_was_away = std::exchange(memories_[key].unverified, !asked);
  }
  if (!asked) {
    log_.warn("the agent seems to be silent, but its heartbeat cannot be read",
              {{"namespace", key.namespace_},
               {"name", key.name},
               {"error", slow ? "the answer took too long" : answer.error().describe()}});
    return false;
  }
  if (api_was_away) {
    heartbeats_.excuse(key);  // it could not renew either: its time begins anew
  }
  if (answer) {
    heartbeats_.observe(kube::Lease::from_json(*answer));
  }
  return true;
}

// --- Act ---

ReconcileResult AgentReconciler::act(const AgentSnapshot& snapshot, const AgentDecision& decision) {
  const api::Agent& agent = snapshot.agent;
  const kube::ObjectKey key = agent.meta.key();
  if (decision.status) {
    const Result<Json> answer =
        parts_.client.update_status(api::kAgent, api::status_update(agent, *decision.status));
    if (!answer) {
      return write_failed(snapshot, answer.error());
    }
    attempts_.counted(key, snapshot.ended);
    {
      const MutexLock lock(mutex_);
      memories_[key].last_write = parts_.clock.monotonic_now();
    }
    tell_audit(agent, *decision.status, *answer);
    own_writes_.overlay(parts_.caches.agents, api::Agent::from_json(*answer));
    for (const AgentEvent& event : decision.events) {
      parts_.events.record(api::reference(agent), event.type, event.reason, event.action, event.note);
    }
  }
  if (decision.look_again) {
    return RequeueAfter{*decision.look_again};
  }
  return Done{};
}

ReconcileResult AgentReconciler::write_failed(const AgentSnapshot& snapshot, const Error& error) {
  const kube::ObjectKey key = snapshot.agent.meta.key();
  if (error.code == ErrorCode::NotFound) {
    return Done{};
  }
  attempts_.maybe_counted(key, snapshot.ended);
  if (error.code == ErrorCode::Conflict) {
    return RequeueAfter{kConflictDelay};
  }
  return Retry{error.with_context("writing the status of Agent " + key.str())};
}

void AgentReconciler::tell_audit(const api::Agent& before, const api::AgentStatus& after,
                                 const Json& answer) {
  const auto* ready = api::find_condition(after.conditions, api::condition::kReady);
  const bool same = before.status.present && before.status.phase == after.phase;
  if (parts_.audit == nullptr || same) {
    return;
  }
  api::AuditEntry entry;
  entry.object = api::reference(before);
  entry.object.resource_version = kube::meta_from_json(answer).resource_version;
  entry.generation = after.observed_generation;
  entry.from = before.status.present ? api::to_string(before.status.phase) : "";
  entry.to = api::to_string(after.phase);
  entry.reason = ready == nullptr ? "" : ready->reason;
  const bool beats = after.phase == AgentPhase::Ready || after.phase == AgentPhase::Degraded ||
                     after.phase == AgentPhase::Draining;
  if (after.phase == AgentPhase::Draining || before.status.phase == AgentPhase::Draining) {
    entry.cause = beats ? api::caused_by_spec(answer, "cordoned") : api::AuditCause{};
  } else if (beats) {
    entry.cause = {api::AuditCause::Kind::Agent, before.meta.name};
  }
  parts_.audit->record(entry);
}

void AgentReconciler::forget_unless_it_beats(const kube::ObjectKey& key) {
  if (parts_.caches.heartbeats.get(lease_key(key)) == nullptr) {
    forget(key);
  }
}

void AgentReconciler::forget(const kube::ObjectKey& key) {
  heartbeats_.forget(key);
  attempts_.forget(key);
  const MutexLock lock(mutex_);
  memories_.erase(key);
}

}  // namespace convoke::agent
