// Task: one unit of work, its assignment, its attempts and its outcome.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/common.h"

namespace convoke::api {

inline const kube::ResourceType kTask{kGroup, kVersion, "tasks", "Task", true};

struct Requirements {
  std::vector<std::string> capabilities;  // empty: the Task's type is the one required capability
  LabelSelector agent_selector;
  bool operator==(const Requirements&) const = default;
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
  std::string agent_name;                      // pin; empty: any
  Duration timeout = std::chrono::hours(1);    // of one attempt, from its assignment
  Duration deadline = std::chrono::hours(24);  // of the whole task, from its creation
  RetryPolicy retry;
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
  std::vector<RejectedAgent> rejected;  // at most 10; also kept while Queued, to say why nobody fits
  bool operator==(const Assignment&) const = default;
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

enum class AttemptOutcome { Succeeded, Failed, Timeout, AgentLost, Rejected, Cancelled };
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
  std::string queued_at;
  std::string assigned_at;
  std::string started_at;
  std::string completed_at;
  std::string retry_at;                 // while Queued after a failure: not offered before this time
  std::vector<AttemptRecord> attempts;  // the last 10
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
kube::ObjectReference reference(const Task& task);

}  // namespace convoke::api
