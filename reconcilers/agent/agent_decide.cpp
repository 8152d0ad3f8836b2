#include "reconcilers/agent/agent_decide.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/agent/circuit_breaker.h"
#include "reconcilers/agent/performance.h"
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
  return phase == AgentPhase::Ready || phase == AgentPhase::Degraded || phase == AgentPhase::Draining;
}

// The status with all attempts and the time that passed taken in: numbers and circuit, nothing else.
api::AgentStatus taken_in(const AgentSnapshot& snapshot) {
  const api::CircuitBreaker& breaker = snapshot.agent.spec.circuit_breaker;
  api::AgentStatus status = snapshot.agent.status;
  for (const EndedAttempt& attempt : snapshot.ended) {
    count(status, attempt);
    attempt_ended(status, breaker, attempt.succeeded, snapshot.now);
  }
  const bool changed = status.circuit_changed_at != snapshot.agent.status.circuit_changed_at;
  time_passed(status, breaker, changed ? Duration::zero() : snapshot.circuit_unchanged_for, snapshot.now);
  return status;
}

// The heartbeat is the one that the agent was already Offline with, before this process began to look.
bool was_silent_before(const AgentSnapshot& snapshot) {
  const Heartbeat& beat = *snapshot.heartbeat;
  const api::AgentStatus& status = snapshot.agent.status;
  return status.phase == AgentPhase::Offline && !beat.changed &&
         (beat.renew_time.empty() || beat.renew_time == status.last_heartbeat_time);
}

AgentPhase phase_with(const AgentSnapshot& snapshot, api::CircuitState circuit) {
  if (!snapshot.heartbeat) {
    return AgentPhase::Pending;
  }
  const bool too_old = snapshot.heartbeat_age >= snapshot.agent.spec.heartbeat_timeout;
  if (too_old || was_silent_before(snapshot)) {
    return AgentPhase::Offline;
  }
  if (snapshot.agent.spec.cordoned) {
    return AgentPhase::Draining;
  }
  return circuit == api::CircuitState::Closed ? AgentPhase::Ready : AgentPhase::Degraded;
}

Appearance appearance_of_degraded(const api::CircuitBreaker& breaker, const api::AgentStatus& numbers) {
  if (numbers.circuit == api::CircuitState::HalfOpen) {
    return {Health::InProgress, reason::kCircuitHalfOpen,
            "gets a few Tasks to try; " + std::to_string(breaker.half_open_tasks) +
                " must succeed before it gets all again"};
  }
  const auto opened = parse_time(numbers.circuit_changed_at);
  const std::string until = opened ? format_time(*opened + breaker.open_for) : "soon";
  return {Health::InProgress, reason::kCircuitOpen,
          "too many attempts failed in a row; it gets nothing until " + until + ", then a few Tasks to try"};
}

Appearance appearance_of(AgentPhase phase, const api::Agent& agent, const api::AgentStatus& numbers) {
  switch (phase) {
    case AgentPhase::Pending:
      return {Health::InProgress, reason::kNeverSeen,
              "waits for the first heartbeat: Lease " + api::heartbeat_lease_name(agent.meta.name)};
    case AgentPhase::Ready:
      return {Health::Current, reason::kReady, "heartbeats arrive"};
    case AgentPhase::Draining:
      return {Health::Current, reason::kCordoned, "cordoned: it finishes what it has and gets nothing new"};
    case AgentPhase::Degraded:
      return appearance_of_degraded(agent.spec.circuit_breaker, numbers);
    case AgentPhase::Offline:
      break;
  }
  return {Health::Failed, reason::kHeartbeatTooOld,
          "no heartbeat for more than " + format_duration(agent.spec.heartbeat_timeout)};
}

// What is known better than that no heartbeat came; null: nothing.
const AgentTrouble* trouble_of(AgentPhase phase, const AgentSnapshot& snapshot) {
  const bool silent = phase == AgentPhase::Pending || phase == AgentPhase::Offline;
  return silent && snapshot.trouble && !pulls(snapshot.agent) ? &*snapshot.trouble : nullptr;
}

// The same for an agent that Tasks are brought to, and that has no Lease.
Appearance appearance_of(AgentPhase phase, const AgentSnapshot& snapshot, const api::AgentStatus& numbers) {
  Appearance appearance = appearance_of(phase, snapshot.agent, numbers);
  if (pulls(snapshot.agent)) {
    return appearance;
  }
  if (const AgentTrouble* trouble = trouble_of(phase, snapshot)) {
    // A service may still be starting; all else waits for a person.
    const bool may_pass = phase == AgentPhase::Pending && trouble->reason == reason::kHealthCheckFailed;
    return {may_pass ? Health::InProgress : Health::Failed, trouble->reason, trouble->message};
  }
  if (phase == AgentPhase::Pending) {
    appearance.message = "was not asked yet";
  } else if (phase == AgentPhase::Ready) {
    appearance.message = "can be given Tasks";
  }
  return appearance;
}

void look_again(AgentDecision& decision, Duration in) {
  const Duration soonest = std::max(in, Duration::zero());
  decision.look_again = std::min(decision.look_again.value_or(soonest), soonest);
}

// `numbers` decide how it looks, and are no part of the result.
api::AgentStatus status_for(AgentPhase phase, const AgentSnapshot& snapshot, const api::AgentStatus& numbers,
                            const std::vector<std::string>& problems) {
  const api::Agent& agent = snapshot.agent;
  Appearance appearance = appearance_of(phase, snapshot, numbers);
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
                const api::AgentStatus& numbers, const std::vector<std::string>& problems) {
  const api::AgentStatus& before = snapshot.agent.status;
  const api::Condition* stalled = api::find_condition(before.conditions, api::condition::kStalled);
  const bool told = stalled != nullptr && stalled->status && stalled->reason == reason::kInvalidSpec;
  if (!problems.empty() && !told) {
    decision.events.push_back(
        {EventType::Warning, reason::kInvalidSpec, action::kValidate, api::describe_problems(problems)});
  }
  const bool other_circuit = phase == AgentPhase::Degraded && numbers.circuit != before.circuit;
  if (phase != before.phase || other_circuit) {
    const Appearance appearance = appearance_of(phase, snapshot, numbers);
    const bool bad = phase == AgentPhase::Offline || appearance.reason == reason::kCircuitOpen;
    const EventType type = bad ? EventType::Warning : EventType::Normal;
    decision.events.push_back({type, appearance.reason, action::kObserve,
                               std::string("is ") + api::to_string(phase) + ": " + appearance.message});
  } else if (const AgentTrouble* trouble = trouble_of(phase, snapshot)) {
    const api::Condition* ready = api::find_condition(before.conditions, api::condition::kReady);
    if (ready == nullptr || ready->reason != trouble->reason) {
      decision.events.push_back({EventType::Warning, trouble->reason, action::kObserve, trouble->message});
    }
  }
}

// What has to be written, with all that is known by now.
api::AgentStatus completed(api::AgentStatus status, const AgentSnapshot& snapshot,
                           const api::AgentStatus& numbers) {
  api::AgentStatus complete = numbers;
  complete.present = true;
  complete.phase = status.phase;
  complete.observed_generation = status.observed_generation;
  complete.conditions = std::move(status.conditions);
  complete.active_tasks = snapshot.active_tasks;
  if (snapshot.heartbeat && !snapshot.heartbeat->renew_time.empty()) {
    complete.last_heartbeat_time = snapshot.heartbeat->renew_time;
  }
  return complete;
}

}  // namespace

bool pulls(const api::Agent& agent) {
  return agent.spec.dispatch.mode == api::DispatchMode::Pull;
}

AgentPhase phase_of(const AgentSnapshot& snapshot) {
  return phase_with(snapshot, snapshot.agent.status.circuit);
}

AgentDecision decide(const AgentSnapshot& snapshot, const AgentTiming& timing) {
  AgentDecision decision;
  const api::Agent& agent = snapshot.agent;
  if (agent.meta.being_deleted()) {
    return decision;
  }
  const api::AgentStatus numbers = taken_in(snapshot);
  const bool circuit_changed = numbers.circuit_changed_at != agent.status.circuit_changed_at;
  const AgentPhase phase = phase_with(snapshot, numbers.circuit);
  if (is_alive(phase)) {
    look_again(decision, agent.spec.heartbeat_timeout - snapshot.heartbeat_age);
  }
  if (numbers.circuit == api::CircuitState::Open) {
    const Duration open_for = circuit_changed ? Duration::zero() : snapshot.circuit_unchanged_for;
    look_again(decision, agent.spec.circuit_breaker.open_for - open_for);
  }
  const auto problems = api::spec_problems(agent.malformed);
  api::AgentStatus status = status_for(phase, snapshot, numbers, problems);
  const bool state_changed = status != agent.status || circuit_changed;
  const bool counters_changed = snapshot.active_tasks != agent.status.active_tasks || !snapshot.ended.empty();
  const Duration wait =
      snapshot.since_last_write ? timing.counter_interval - *snapshot.since_last_write : Duration::zero();
  if (state_changed || (counters_changed && wait <= Duration::zero())) {
    add_events(decision, snapshot, phase, numbers, problems);
    decision.status = completed(std::move(status), snapshot, numbers);
  } else if (counters_changed) {
    look_again(decision, wait);
  }
  return decision;
}

}  // namespace convoke::agent
