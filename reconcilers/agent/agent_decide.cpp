#include "reconcilers/agent/agent_decide.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/agent/reasons.h"
#include "reconcilers/api/spec_problems.h"

namespace convoke::agent {
namespace {

using api::AgentPhase;
using api::Health;
using runtime::EventType;

// What a state looks like to a person.
struct Appearance {
  Health health;
  std::string reason;
  std::string message;
};

bool is_alive(AgentPhase phase) {
  return phase == AgentPhase::Ready || phase == AgentPhase::Draining;
}

// The heartbeat is the one that the agent was already Offline with, before this process began to look.
bool was_silent_before(const AgentSnapshot& snapshot) {
  const Heartbeat& beat = *snapshot.heartbeat;
  const api::AgentStatus& status = snapshot.agent.status;
  return status.phase == AgentPhase::Offline && !beat.changed &&
         (beat.renew_time.empty() || beat.renew_time == status.last_heartbeat_time);
}

Appearance appearance_of(AgentPhase phase, const api::Agent& agent) {
  switch (phase) {
    case AgentPhase::Pending:
      return {Health::InProgress, reason::kNeverSeen,
              "waits for the first heartbeat: Lease " + api::heartbeat_lease_name(agent.meta.name)};
    case AgentPhase::Ready:
      return {Health::Current, reason::kReady, "heartbeats arrive"};
    case AgentPhase::Draining:
      return {Health::Current, reason::kCordoned, "cordoned: it finishes what it has and gets nothing new"};
    case AgentPhase::Offline:
      break;
  }
  return {Health::Failed, reason::kHeartbeatTooOld,
          "no heartbeat for more than " + format_duration(agent.spec.heartbeat_timeout)};
}

void look_again(AgentDecision& decision, Duration in) {
  const Duration soonest = std::max(in, Duration::zero());
  decision.look_again = std::min(decision.look_again.value_or(soonest), soonest);
}

api::AgentStatus status_for(AgentPhase phase, const AgentSnapshot& snapshot,
                            const std::vector<std::string>& problems) {
  const api::Agent& agent = snapshot.agent;
  Appearance appearance = appearance_of(phase, agent);
  if (!problems.empty()) {
    appearance = {Health::Failed, reason::kInvalidSpec, api::describe_problems(problems)};
  }
  api::AgentStatus status = agent.status;
  status.present = true;
  status.phase = phase;
  status.observed_generation = agent.meta.generation;
  api::set_health(status.conditions, appearance.health, appearance.reason, appearance.message,
                  agent.meta.generation, format_time(snapshot.now));
  return status;
}

void add_events(AgentDecision& decision, const AgentSnapshot& snapshot, AgentPhase phase,
                const std::vector<std::string>& problems) {
  const api::AgentStatus& before = snapshot.agent.status;
  const api::Condition* stalled = api::find_condition(before.conditions, api::condition::kStalled);
  const bool told = stalled != nullptr && stalled->status && stalled->reason == reason::kInvalidSpec;
  if (!problems.empty() && !told) {
    decision.events.push_back(
        {EventType::Warning, reason::kInvalidSpec, action::kValidate, api::describe_problems(problems)});
  }
  if (phase != before.phase) {
    const Appearance appearance = appearance_of(phase, snapshot.agent);
    const EventType type = phase == AgentPhase::Offline ? EventType::Warning : EventType::Normal;
    decision.events.push_back({type, appearance.reason, action::kObserve,
                               std::string("is ") + api::to_string(phase) + ": " + appearance.message});
  }
}

}  // namespace

AgentPhase phase_of(const AgentSnapshot& snapshot) {
  if (!snapshot.heartbeat) {
    return AgentPhase::Pending;
  }
  const bool too_old = snapshot.heartbeat_age >= snapshot.agent.spec.heartbeat_timeout;
  if (too_old || was_silent_before(snapshot)) {
    return AgentPhase::Offline;
  }
  return snapshot.agent.spec.cordoned ? AgentPhase::Draining : AgentPhase::Ready;
}

AgentDecision decide(const AgentSnapshot& snapshot, const AgentTiming& timing) {
  AgentDecision decision;
  const api::Agent& agent = snapshot.agent;
  if (agent.meta.being_deleted()) {
    return decision;
  }
  const AgentPhase phase = phase_of(snapshot);
  if (is_alive(phase)) {
    look_again(decision, agent.spec.heartbeat_timeout - snapshot.heartbeat_age);
  }
  const auto problems = api::spec_problems(agent.malformed);
  api::AgentStatus status = status_for(phase, snapshot, problems);
  const bool state_changed = status != agent.status;
  const bool counters_changed = snapshot.active_tasks != agent.status.active_tasks;
  const Duration wait =
      snapshot.since_last_write ? timing.counter_interval - *snapshot.since_last_write : Duration::zero();
  if (state_changed || (counters_changed && wait <= Duration::zero())) {
    status.active_tasks = snapshot.active_tasks;
    if (snapshot.heartbeat && !snapshot.heartbeat->renew_time.empty()) {
      status.last_heartbeat_time = snapshot.heartbeat->renew_time;
    }
    add_events(decision, snapshot, phase, problems);
    decision.status = std::move(status);
  } else if (counters_changed) {
    look_again(decision, wait);
  }
  return decision;
}

}  // namespace convoke::agent
