// Agent: a worker, its capabilities and its health.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/common.h"

namespace convoke::api {

inline const kube::ResourceType kAgent{kGroup, kVersion, "agents", "Agent", true};

struct RateLimit {
  double tasks_per_minute = 0;
  int burst = 0;  // 0: those of ten seconds, at least one
  bool operator==(const RateLimit&) const = default;
};

struct CircuitBreaker {
  int failure_threshold = 5;  // failed attempts in a row that open it; 0: never
  Duration open_for = std::chrono::seconds(30);
  int half_open_tasks = 3;  // attempts that must succeed to close it again
  bool operator==(const CircuitBreaker&) const = default;
};

struct Cost {
  double per_task = 0;
  double per_minute = 0;
  bool operator==(const Cost&) const = default;
};

// How work reaches the agent.
enum class DispatchMode {
  Pull,  // it takes its Tasks from the API itself
  HTTP,  // the operator sends them to a service
  Job,   // the operator makes a Job for each assignment
};
const char* to_string(DispatchMode mode);

struct SecretKey {
  std::string name;  // in the agent's namespace
  std::string key;
  bool operator==(const SecretKey&) const = default;
};

struct HttpDispatch {
  std::string url;
  Duration timeout = std::chrono::seconds(30);  // of one request
  std::string health_path;                      // empty: not asked
  Duration poll_interval = std::chrono::seconds(5);
  std::optional<SecretKey> ca_secret;
  std::optional<SecretKey> token_secret;
  std::string basic_auth_secret;  // a Secret with username and password; empty: none
  bool operator==(const HttpDispatch&) const = default;
};

struct JobDispatch {
  RawJson template_;      // a Pod template
  std::string container;  // whose end is the Task's; empty: the first one
  bool operator==(const JobDispatch&) const = default;
};

struct Dispatch {
  DispatchMode mode = DispatchMode::Pull;
  HttpDispatch http;  // mode HTTP
  JobDispatch job;    // mode Job
  bool operator==(const Dispatch&) const = default;
};

struct AgentSpec {
  std::string type;
  std::vector<std::string> capabilities;  // "*" matches every capability
  int capacity = 10;
  Cost cost;
  std::optional<RateLimit> rate_limit;
  CircuitBreaker circuit_breaker;
  Dispatch dispatch;
  Duration heartbeat_interval = std::chrono::seconds(30);
  Duration heartbeat_timeout = std::chrono::seconds(90);
  bool cordoned = false;
};

enum class AgentPhase { Pending, Ready, Offline, Draining, Degraded };
const char* to_string(AgentPhase phase);

enum class CircuitState { Closed, Open, HalfOpen };
const char* to_string(CircuitState state);

// How an agent did its last Tasks of one type. Decaying averages: what is recent counts more.
struct TaskTypeStatistics {
  std::string type;
  std::int64_t tasks = 0;    // attempts that were counted, ever
  double success_rate = 0;   // 0 to 1
  Duration mean_duration{};  // of those that succeeded
  Duration p95_duration{};
  bool operator==(const TaskTypeStatistics&) const = default;
};

struct AgentStatus {
  bool present = false;  // false while nothing was ever written
  AgentPhase phase = AgentPhase::Pending;
  std::int64_t observed_generation = 0;
  std::string last_heartbeat_time;  // as the Lease had it when status was written last
  int active_tasks = 0;
  std::int64_t completed_tasks = 0;  // attempts that succeeded
  std::int64_t failed_tasks = 0;     // attempts that failed, timed out, or were lost with the agent
  double success_rate = 0;           // of the last attempts, 0 to 1
  Duration average_duration{};       // of the last attempts that succeeded
  CircuitState circuit = CircuitState::Closed;
  int consecutive_failures = 0;
  int half_open_successes = 0;                 // since `circuit` is HalfOpen
  std::string circuit_changed_at;              // when `circuit` changed last
  std::vector<TaskTypeStatistics> statistics;  // the task types of late, at most 20
  // Which attempts the numbers hold: all that ended up to `counted_until`, and these.
  std::string counted_until;
  std::vector<std::string> counted_attempts;  // "end/assignment id", the last that were counted
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
