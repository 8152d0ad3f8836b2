// Task: one unit of work, its assignment, its attempts and its outcome.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/common.h"

namespace convoke::api {

inline const kube::ResourceType kTask{kGroup, kVersion, "tasks", "Task", true};

struct Requirements {
  std::vector<std::string> capabilities;  // empty: the Task's type is the one required capability
  LabelSelector agent_selector;
  std::string rule;  // CEL over `task` and `agent`; empty: any agent
  bool operator==(const Requirements&) const = default;
};

// How the best of several agents is found.
enum class Strategy { CapabilityMatch, RoundRobin, LeastLoaded, Random, PerformanceBased, CostOptimized };
const char* to_string(Strategy strategy);

// Whether a Task may be given out again once an agent has started it.
enum class Delivery { AtLeastOnce, AtMostOnce };
const char* to_string(Delivery delivery);

enum class LockMode { Exclusive, Shared };
const char* to_string(LockMode mode);

struct LockRequest {
  std::string name;
  LockMode mode = LockMode::Exclusive;
  int permits = 0;  // Shared: how many may hold it at once; 0: any number
  bool operator==(const LockRequest&) const = default;
};

struct Subtask {
  std::string name;
  RawJson spec;  // a TaskSpec without subtasks, as it was written
  bool operator==(const Subtask&) const = default;
};

enum class AggregationStrategy { All, Any, Quorum, FirstSuccess };
const char* to_string(AggregationStrategy strategy);

// When a Task with subtasks is done.
struct Aggregation {
  AggregationStrategy strategy = AggregationStrategy::All;
  int quorum = 0;                   // Quorum: how many must succeed
  std::optional<Duration> timeout;  // of all subtasks together
  bool operator==(const Aggregation&) const = default;
};

struct Cancel {
  std::string reason;
  bool operator==(const Cancel&) const = default;
};

struct TaskSpec {
  std::string type;
  std::string title;
  std::string description;
  RawJson parameters;
  int priority = 3;  // 1 to 5, 5 first
  Requirements requires_;
  std::string agent_name;  // pin; empty: any
  Strategy strategy = Strategy::CapabilityMatch;
  Delivery delivery = Delivery::AtLeastOnce;
  std::string not_before;                      // RFC 3339; empty: at once
  Duration timeout = std::chrono::hours(1);    // of one attempt, from its assignment
  Duration deadline = std::chrono::hours(24);  // of the whole task, from its creation
  RetryPolicy retry;
  std::vector<LockRequest> locks;
  std::vector<Subtask> subtasks;  // filled: these do the work, and no agent gets this Task itself
  Aggregation aggregation;
  std::string idempotency_key;
  bool suspend = false;
  std::optional<Cancel> cancel;
  std::optional<Duration>
      ttl_after_finished;  // absent: 24 h after success, 7 d after failure or cancellation

  // What an agent must be able to do: requires.capabilities, or the type.
  std::vector<std::string> required_capabilities() const;
};

enum class TaskPhase { Pending, Queued, Assigned, Running, Succeeded, Failed, Cancelled };
const char* to_string(TaskPhase phase);
bool is_terminal(TaskPhase phase);
// Assigned or Running: an agent has it.
bool is_live(TaskPhase phase);

struct RejectedAgent {
  std::string agent_name;
  std::string reason;  // for people: "lacks capability gpu", "is full (10 of 10)"
  bool operator==(const RejectedAgent&) const = default;
};

struct Assignment {
  std::string id;  // unique for each assignment: the fencing token of the protocol; empty while there is none
  std::string strategy;
  std::string score;  // a decimal number as text
  int candidates = 0;
  std::string time;
  std::vector<RejectedAgent> rejected;          // at most 10; also kept while Queued, to say why nobody fits
  std::map<std::string, std::int64_t> fencing;  // lock -> its fencing token
  bool operator==(const Assignment&) const = default;
};

// Why a Task waits for a lock.
struct LockWait {
  std::string name;
  int position = 0;     // in the lock's queue, from 1
  std::string held_by;  // for people: who has it
  bool operator==(const LockWait&) const = default;
};

struct SubtaskRow {
  std::string name;
  std::string task_name;
  std::optional<TaskPhase> phase;  // none: its Task was not created yet
  std::string reason;
  bool operator==(const SubtaskRow&) const = default;
};

enum class ReportState { None, Running, Succeeded, Failed, Rejected };

// What the agent wrote. Nothing in it is trusted until `assignment_id` equals the current assignment's.
struct Report {
  std::string assignment_id;
  ReportState state = ReportState::None;
  int progress = 0;
  std::string message;
  RawJson outputs;
  std::string error_code;
  std::string error_message;
  bool error_retryable = true;
  std::string started_at;
  std::string finished_at;
  RawJson raw;  // the whole of status.report as the agent wrote it, to be written back unchanged
  bool operator==(const Report&) const = default;
};

enum class AttemptOutcome {
  Succeeded,
  Failed,
  Timeout,
  AgentLost,
  Rejected,
  Cancelled,
  Delegated,   // spec.agentName named another agent
  Rebalanced,  // not started, and another agent suited it better
  Suspended,
  LockLost,  // one of its locks was broken, or taken by somebody else
};
const char* to_string(AttemptOutcome outcome);

struct AttemptRecord {
  int attempt = 0;
  std::string agent_name;
  std::string assignment_id;
  AttemptOutcome outcome = AttemptOutcome::Failed;
  std::string reason;  // CamelCase
  std::string message;
  std::string assigned_at;
  std::string started_at;
  std::string finished_at;
  bool operator==(const AttemptRecord&) const = default;
};

// What the operator brought to an agent that does not come for its Tasks itself. It stands there before
// anything is sent, so that it is known after a restart what may be under way; and it stays until another
// assignment is brought, or until what it names was told to stop.
struct TaskDispatch {
  std::string assignment_id;  // empty: nothing was brought
  std::string agent_name;
  std::string accepted_at;  // HTTP: when the service said that it would report later
  std::string location;     // HTTP: where its state is asked for; absolute
  std::string job_name;     // Job
  bool operator==(const TaskDispatch&) const = default;
};

struct TaskStatus {
  bool present = false;
  TaskPhase phase = TaskPhase::Pending;
  std::string reason;  // CamelCase
  std::string message;
  std::int64_t observed_generation = 0;
  std::vector<Condition> conditions;
  int attempt = 0;  // 0 until the first assignment
  std::string agent_name;
  Assignment assignment;
  Report report;
  TaskDispatch dispatch;
  std::string queued_at;
  std::string assigned_at;
  std::string started_at;
  std::string completed_at;
  std::string retry_at;                 // while Queued after a failure: not offered before this time
  std::vector<AttemptRecord> attempts;  // the last 10
  int delegations = 0;                  // how often it was given to another agent by a person
  std::optional<LockWait> waiting_for_lock;
  std::vector<SubtaskRow> subtasks;
  std::string result_from;  // the Task with the same idempotencyKey whose result this is
  bool operator==(const TaskStatus&) const = default;
};

struct Task {
  kube::ObjectMeta meta;
  TaskSpec spec;
  TaskStatus status;
  std::vector<std::string> malformed;

  static Task from_json(const Json& object);
};

// A TaskSpec as it stands in a manifest; fields at their defaults are left out.
Json spec_to_json(const TaskSpec& spec);
// Reads a TaskSpec found at `path` of some object; problems are appended to `malformed`.
TaskSpec task_spec_from_json(const Json& spec, const std::string& path, std::vector<std::string>& malformed);
Json status_update(const Task& current, const TaskStatus& status);
Json dispatch_to_json(const TaskDispatch& dispatch);
kube::ObjectReference reference(const Task& task);

}  // namespace convoke::api
