#include "reconcilers/agent/agent_reconciler.h"

#include <string>
#include <utility>

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

kube::ObjectKey lease_key(const kube::ObjectKey& agent) {
  return {agent.namespace_, api::heartbeat_lease_name(agent.name)};
}

bool is_alive(const api::Agent* agent) {
  return agent != nullptr &&
         (agent->status.phase == AgentPhase::Ready || agent->status.phase == AgentPhase::Draining);
}

// The agent whose load the Task is; empty if none.
std::string loads(const api::Task* task) {
  const bool live = task != nullptr && (task->status.phase == api::TaskPhase::Assigned ||
                                        task->status.phase == api::TaskPhase::Running);
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
  parts_.caches.heartbeats.add_handler(
      [this, &queue](const LeaseChange& change) { lease_changed(change, queue); });
  parts_.caches.agents.add_handler(
      [this, &queue](const AgentChange& change) { agent_changed(change, queue); });
  parts_.caches.tasks.add_handler([this, &queue](const TaskChange& change) { task_changed(change, queue); });
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
  const bool remarkable = heartbeats_.observe(*change.after);
  if (known != nullptr && (remarkable || !is_alive(known.get()))) {
    queue.add(*agent, change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
  }
}

void AgentReconciler::agent_changed(const AgentChange& change, runtime::WorkQueue& queue) {
  metrics_.agent_changed(change.before.get(), change.after.get());
  const bool same = change.before && change.after && change.before->status == change.after->status &&
                    change.before->meta.generation == change.after->meta.generation;
  if (same || (change.after && own_writes_.covers(change.after->meta.resource_version))) {
    return;
  }
  queue.add((change.after ? change.after : change.before)->meta.key(),
            change.initial ? runtime::kPriorityLow : runtime::kPriorityNormal);
}

void AgentReconciler::task_changed(const TaskChange& change, runtime::WorkQueue& queue) {
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
    if (parts_.caches.heartbeats.get(lease_key(key)) == nullptr) {
      forget(key);
    }
    return Done{};
  }
  if (seems_lost(observe(*agent)) && !verify_silence(*agent)) {
    return RequeueAfter{kVerifyDelay};
  }
  return act(*agent, decide(observe(*agent), timing_.get()));
}

AgentSnapshot AgentReconciler::observe(const api::Agent& agent) {
  const kube::ObjectKey key = agent.meta.key();
  if (agent.status.phase != AgentPhase::Pending) {
    heartbeats_.expect(key);  // it beat once, maybe before this process began to look
  }
  const auto heartbeat = heartbeats_.last(key);
  const std::size_t active = parts_.caches.tasks.count_by_index(api::index::kTasksByAgent, key.str());
  std::optional<Duration> since_last_write;
  {
    const MutexLock lock(mutex_);
    const auto memory = memories_.find(key);
    if (memory != memories_.end() && memory->second.last_write) {
      since_last_write = parts_.clock.monotonic_now() - *memory->second.last_write;
    }
  }
  return {agent,
          heartbeat,
          heartbeat ? heartbeats_.age(*heartbeat) : Duration::zero(),
          static_cast<int>(active),
          since_last_write,
          parts_.clock.wall_now()};
}

bool AgentReconciler::seems_lost(const AgentSnapshot& snapshot) const {
  return snapshot.agent.status.phase != AgentPhase::Offline && phase_of(snapshot) == AgentPhase::Offline;
}

bool AgentReconciler::verify_silence(const api::Agent& agent) {
  const kube::ObjectKey key = agent.meta.key();
  const Result<Json> answer = parts_.client.get(kube::kLease, lease_key(key));
  const bool asked = answer || answer.error().code == ErrorCode::NotFound;
  bool api_was_away = false;
  {
    const MutexLock lock(mutex_);
    api_was_away = std::exchange(memories_[key].unverified, !asked);
  }
  if (!asked) {
    log_.warn("the agent seems to be silent, but its heartbeat cannot be read",
              {{"namespace", key.namespace_}, {"name", key.name}, {"error", answer.error().describe()}});
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

ReconcileResult AgentReconciler::act(const api::Agent& agent, const AgentDecision& decision) {
  const kube::ObjectKey key = agent.meta.key();
  if (decision.status) {
    const Result<Json> answer =
        parts_.client.update_status(api::kAgent, api::status_update(agent, *decision.status));
    if (!answer && answer.error().code == ErrorCode::NotFound) {
      return Done{};
    }
    if (!answer && answer.error().code == ErrorCode::Conflict) {
      return RequeueAfter{kConflictDelay};
    }
    if (!answer) {
      return Retry{answer.error().with_context("writing the status of Agent " + key.str())};
    }
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
  const bool beats = after.phase == AgentPhase::Ready || after.phase == AgentPhase::Draining;
  if (after.phase == AgentPhase::Draining || before.status.phase == AgentPhase::Draining) {
    entry.cause = beats ? api::caused_by_spec(answer, "cordoned") : api::AuditCause{};
  } else if (beats) {
    entry.cause = {api::AuditCause::Kind::Agent, before.meta.name};
  }
  parts_.audit->record(entry);
}

void AgentReconciler::forget(const kube::ObjectKey& key) {
  heartbeats_.forget(key);
  const MutexLock lock(mutex_);
  memories_.erase(key);
}

}  // namespace convoke::agent
