#include "reconcilers/api/agent.h"

#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/json_writer.h"
#include "reconcilers/api/shared_json.h"

namespace convoke::api {
namespace {

constexpr EnumNames<AgentPhase, 5> kAgentPhases{{{AgentPhase::Pending, "Pending"},
                                                 {AgentPhase::Ready, "Ready"},
                                                 {AgentPhase::Offline, "Offline"},
                                                 {AgentPhase::Draining, "Draining"},
                                                 {AgentPhase::Degraded, "Degraded"}}};

constexpr EnumNames<CircuitState, 3> kCircuitStates{
    {{CircuitState::Closed, "Closed"}, {CircuitState::Open, "Open"}, {CircuitState::HalfOpen, "HalfOpen"}}};

constexpr EnumNames<DispatchMode, 3> kDispatchModes{
    {{DispatchMode::Pull, "Pull"}, {DispatchMode::HTTP, "HTTP"}, {DispatchMode::Job, "Job"}}};

constexpr IntRange kCapacity{1, 100'000};
constexpr IntRange kBurst{0, 1'000'000};
constexpr IntRange kTasksPerMinute{1, 1'000'000};
constexpr IntRange kFailureThreshold{0, 1000};
constexpr IntRange kHalfOpenTasks{1, 1000};
constexpr Duration kShortestHeartbeat = std::chrono::milliseconds(1);
constexpr Duration kShortestOpen = std::chrono::milliseconds(1);
constexpr Duration kShortestRequest = std::chrono::milliseconds(1);

void read_limits(const FieldReader& reader, AgentSpec& spec) {
  const FieldReader cost = reader.object("cost");
  cost.read_decimal("perTask", spec.cost.per_task);
  cost.read_decimal("perMinute", spec.cost.per_minute);
  if (const auto rate = reader.optional_object("rateLimit")) {
    int tasks_per_minute = kTasksPerMinute.min;
    spec.rate_limit.emplace();
    rate->read("tasksPerMinute", tasks_per_minute, kTasksPerMinute);
    spec.rate_limit->tasks_per_minute = tasks_per_minute;
    rate->read("burst", spec.rate_limit->burst, kBurst);
  }
  const FieldReader breaker = reader.object("circuitBreaker");
  breaker.read("failureThreshold", spec.circuit_breaker.failure_threshold, kFailureThreshold);
  breaker.read("openFor", spec.circuit_breaker.open_for, kShortestOpen);
  breaker.read("halfOpenTasks", spec.circuit_breaker.half_open_tasks, kHalfOpenTasks);
}

std::optional<SecretKey> read_secret_key(const FieldReader& parent, const char* field) {
  const auto reader = parent.optional_object(field);
  if (!reader) {
    return std::nullopt;
  }
  SecretKey secret;
  reader->read("name", secret.name);
  reader->read("key", secret.key);
  return secret;
}

Dispatch read_agent_dispatch(const FieldReader& reader) {
  Dispatch dispatch;
  reader.read("mode", dispatch.mode, kDispatchModes);
  const FieldReader http = reader.object("http");
  http.read("url", dispatch.http.url);
  http.read("timeout", dispatch.http.timeout, kShortestRequest);
  http.read("healthPath", dispatch.http.health_path);
  http.read("pollInterval", dispatch.http.poll_interval, kShortestRequest);
  dispatch.http.ca_secret = read_secret_key(http, "caSecret");
  dispatch.http.token_secret = read_secret_key(http, "tokenSecret");
  http.object("basicAuthSecret").read("name", dispatch.http.basic_auth_secret);
  const FieldReader job = reader.object("job");
  job.read_raw_object("template", dispatch.job.template_);
  job.read("container", dispatch.job.container);
  return dispatch;
}

AgentSpec read_agent_spec(const FieldReader& reader) {
  AgentSpec spec;
  reader.read("type", spec.type);
  reader.read("capabilities", spec.capabilities);
  reader.read("capacity", spec.capacity, kCapacity);
  read_limits(reader, spec);
  spec.dispatch = read_agent_dispatch(reader.object("dispatch"));
  const FieldReader heartbeat = reader.object("heartbeat");
  heartbeat.read("interval", spec.heartbeat_interval, kShortestHeartbeat);
  heartbeat.read("timeout", spec.heartbeat_timeout, kShortestHeartbeat);
  reader.read("cordoned", spec.cordoned);
  return spec;
}

TaskTypeStatistics read_statistics(const FieldReader& reader) {
  TaskTypeStatistics statistics;
  reader.read("type", statistics.type);
  reader.read("tasks", statistics.tasks);
  reader.read_decimal("successRate", statistics.success_rate);
  reader.read("meanDuration", statistics.mean_duration);
  reader.read("p95Duration", statistics.p95_duration);
  return statistics;
}

AgentStatus read_agent_status(const FieldReader& reader) {
  AgentStatus status;
  status.present = read_observed_generation(reader, status.observed_generation);
  reader.read("phase", status.phase, kAgentPhases);
  reader.read("lastHeartbeatTime", status.last_heartbeat_time);
  reader.read("activeTasks", status.active_tasks);
  reader.read("completedTasks", status.completed_tasks);
  reader.read("failedTasks", status.failed_tasks);
  reader.read_decimal("successRate", status.success_rate);
  reader.read("averageDuration", status.average_duration);
  reader.read("circuit", status.circuit, kCircuitStates);
  reader.read("consecutiveFailures", status.consecutive_failures);
  reader.read("halfOpenSuccesses", status.half_open_successes);
  reader.read("circuitChangedAt", status.circuit_changed_at);
  reader.each_object("statistics",
                     [&](const FieldReader& item) { status.statistics.push_back(read_statistics(item)); });
  const FieldReader counted = reader.object("counted");
  counted.read("until", status.counted_until);
  counted.read("attempts", status.counted_attempts);
  status.conditions = read_conditions(reader);
  return status;
}

void put_duration(Json& object, const char* key, Duration duration) {
  if (duration > Duration::zero()) {
    object[key] = format_duration(duration);
  }
}

Json statistics_to_json(const TaskTypeStatistics& statistics) {
  Json json = {{"type", statistics.type},
               {"tasks", statistics.tasks},
               {"successRate", format_decimal(statistics.success_rate)}};
  put_duration(json, "meanDuration", statistics.mean_duration);
  put_duration(json, "p95Duration", statistics.p95_duration);
  return json;
}

void put_performance(Json& json, const AgentStatus& status) {
  put_number(json, "completedTasks", status.completed_tasks);
  put_number(json, "failedTasks", status.failed_tasks);
  if (status.completed_tasks + status.failed_tasks > 0) {
    json["successRate"] = format_decimal(status.success_rate);
  }
  put_duration(json, "averageDuration", status.average_duration);
  json["circuit"] = to_string(status.circuit);
  put_number(json, "consecutiveFailures", status.consecutive_failures);
  put_number(json, "halfOpenSuccesses", status.half_open_successes);
  put_text(json, "circuitChangedAt", status.circuit_changed_at);
  Json statistics = Json::array();
  for (const TaskTypeStatistics& of_type : status.statistics) {
    statistics.push_back(statistics_to_json(of_type));
  }
  put_filled(json, "statistics", std::move(statistics));
  Json counted = Json::object();
  put_text(counted, "until", status.counted_until);
  put_filled(counted, "attempts", status.counted_attempts);
  put_filled(json, "counted", std::move(counted));
}

Json agent_status_to_json(const AgentStatus& status) {
  // No active Tasks is an answer too, so it is written.
  Json json = {{"phase", to_string(status.phase)}, {"activeTasks", status.active_tasks}};
  put_number(json, "observedGeneration", status.observed_generation);
  put_text(json, "lastHeartbeatTime", status.last_heartbeat_time);
  put_performance(json, status);
  put_filled(json, "conditions", conditions_to_json(status.conditions));
  return json;
}

}  // namespace

const char* to_string(AgentPhase phase) {
  return name_of(kAgentPhases, phase);
}

const char* to_string(DispatchMode mode) {
  return name_of(kDispatchModes, mode);
}

const char* to_string(CircuitState state) {
  return name_of(kCircuitStates, state);
}

Agent Agent::from_json(const Json& object) {
  Agent agent;
  const FieldReader reader(object, "", agent.malformed);
  agent.meta = kube::meta_from_json(object);
  agent.spec = read_agent_spec(reader.object("spec"));
  agent.status = read_agent_status(reader.object("status"));
  return agent;
}

Json status_update(const Agent& current, const AgentStatus& status) {
  return status_body(kAgent, current.meta, agent_status_to_json(status));
}

kube::ObjectReference reference(const Agent& agent) {
  return reference_to(kAgent, agent.meta);
}

std::string heartbeat_lease_name(const std::string& agent_name) {
  return "convoke-agent-" + agent_name;
}

}  // namespace convoke::api
