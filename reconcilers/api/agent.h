// Agent: a worker, its capabilities and its health.
#pragma once

#include <string>
#include <vector>

#include "reconcilers/api/common.h"

namespace convoke::api {

inline const kube::ResourceType kAgent{kGroup, kVersion, "agents", "Agent", true};

struct AgentSpec {
  std::string type;
  std::vector<std::string> capabilities;  // "*" matches every capability
  int capacity = 10;
  Duration heartbeat_interval = std::chrono::seconds(30);
  Duration heartbeat_timeout = std::chrono::seconds(90);
  bool cordoned = false;
};

enum class AgentPhase { Pending, Ready, Offline, Draining };
const char* to_string(AgentPhase phase);

struct AgentStatus {
  bool present = false;  // false while nothing was ever written
  AgentPhase phase = AgentPhase::Pending;
  std::int64_t observed_generation = 0;
  std::string last_heartbeat_time;  // as the Lease had it when status was written last
  int active_tasks = 0;
  std::vector<Condition> conditions;
  bool operator==(const AgentStatus&) const = default;
};

struct Agent {
  kube::ObjectMeta meta;
  AgentSpec spec;
  AgentStatus status;
  std::vector<std::string> malformed;

  static Agent from_json(const Json& object);
};

// The body of a status write: apiVersion, kind, metadata (name, namespace, resourceVersion) and status.
Json status_update(const Agent& current, const AgentStatus& status);
kube::ObjectReference reference(const Agent& agent);
// "convoke-agent-<name>": the Lease that is the agent's heartbeat.
std::string heartbeat_lease_name(const std::string& agent_name);

}  // namespace convoke::api
