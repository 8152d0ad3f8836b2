// What to do about one Agent: a pure function of what was seen of it and of the time.
//
//   Pending    never seen
//   Ready      heartbeats arrive
//   Degraded   heartbeats arrive, and its circuit is not closed (circuit_breaker.h)
//   Draining   heartbeats arrive, and it is cordoned
//   Offline    the last heartbeat is too old, cordoned or not
//
// A change of phase or circuit is written at once. Numbers (performance.h) are coalesced: one write for each
// agent and `counter_interval`. A new heartbeat alone is never written.
//
// Thread safety: pure. Errors: none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/runtime/event_recorder.h"
#include "reconcilers/agent/ended_attempt.h"
#include "reconcilers/agent/heartbeat_monitor.h"
#include "reconcilers/api/agent.h"

namespace convoke::agent {

struct AgentTiming {
  Duration counter_interval = std::chrono::seconds(10);
};

// Why an agent that Tasks are brought to does not seem to be alive.
struct AgentTrouble {
  std::string reason;
  std::string message;
  bool operator==(const AgentTrouble&) const = default;
};

struct AgentSnapshot {
  const api::Agent& agent;
  std::optional<Heartbeat> heartbeat;  // as last seen
  Duration heartbeat_age;
  int active_tasks = 0;
  std::optional<Duration> since_last_write;  // none: this process has not written it yet
  WallTime now;
  std::vector<EndedAttempt> ended = {};  // that the status does not hold yet, in order
  Duration circuit_unchanged_for = {};
  std::optional<AgentTrouble> trouble = {};  // as it was found last
};

struct AgentEvent {
  runtime::EventType type;
  std::string reason;
  std::string action;
  std::string note;
};

struct AgentDecision {
  std::optional<api::AgentStatus> status;  // to be written; none: nothing that has to be told changed
  std::vector<AgentEvent> events;          // to be recorded once the status is written
  std::optional<Duration> look_again;
};

// Whether it comes for its Tasks itself.
bool pulls(const api::Agent& agent);
// The phase that the snapshot shows.
api::AgentPhase phase_of(const AgentSnapshot& snapshot);

AgentDecision decide(const AgentSnapshot& snapshot, const AgentTiming& timing = {});

}  // namespace convoke::agent
