#include "reconcilers/api/agent.h"

#include <utility>

#include "reconcilers/api/json_writer.h"
#include "reconcilers/api/shared_json.h"

namespace convoke::api {
namespace {

constexpr EnumNames<AgentPhase, 4> kPhases{{{AgentPhase::Pending, "Pending"},
                                            {AgentPhase::Ready, "Ready"},
                                            {AgentPhase::Offline, "Offline"},
                                            {AgentPhase::Draining, "Draining"}}};

constexpr IntRange kCapacity{1, 100'000};
constexpr Duration kShortestHeartbeat = std::chrono::milliseconds(1);

AgentSpec read_spec(const FieldReader& reader) {
  AgentSpec spec;
  reader.read("type", spec.type);
  reader.read("capabilities", spec.capabilities);
  reader.read("capacity", spec.capacity, kCapacity);
  const FieldReader heartbeat = reader.object("heartbeat");
  heartbeat.read("interval", spec.heartbeat_interval, kShortestHeartbeat);
  heartbeat.read("timeout", spec.heartbeat_timeout, kShortestHeartbeat);
  reader.read("cordoned", spec.cordoned);
  return spec;
}

AgentStatus read_status(const FieldReader& reader) {
  AgentStatus status;
  status.present = read_observed_generation(reader, status.observed_generation);
  reader.read("phase", status.phase, kPhases);
  reader.read("lastHeartbeatTime", status.last_heartbeat_time);
  reader.read("activeTasks", status.active_tasks);
  status.conditions = read_conditions(reader);
  return status;
}

Json status_to_json(const AgentStatus& status) {
  // No active Tasks is an answer too, so it is written.
  Json json = {{"phase", to_string(status.phase)}, {"activeTasks", status.active_tasks}};
  put_number(json, "observedGeneration", status.observed_generation);
  put_text(json, "lastHeartbeatTime", status.last_heartbeat_time);
  put_filled(json, "conditions", conditions_to_json(status.conditions));
  return json;
}

}  // namespace

const char* to_string(AgentPhase phase) {
  return name_of(kPhases, phase);
}

Agent Agent::from_json(const Json& object) {
  Agent agent;
  const FieldReader reader(object, "", agent.malformed);
  agent.meta = kube::meta_from_json(object);
  agent.spec = read_spec(reader.object("spec"));
  agent.status = read_status(reader.object("status"));
  return agent;
}

Json status_update(const Agent& current, const AgentStatus& status) {
  return status_body(kAgent, current.meta, status_to_json(status));
}

kube::ObjectReference reference(const Agent& agent) {
  return reference_to(kAgent, agent.meta);
}

std::string heartbeat_lease_name(const std::string& agent_name) {
  return "convoke-agent-" + agent_name;
}

}  // namespace convoke::api
