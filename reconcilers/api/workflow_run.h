// WorkflowRun: one execution of a Workflow.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/workflow.h"

namespace convoke::api {

inline const kube::ResourceType kWorkflowRun{kGroup, kVersion, "workflowruns", "WorkflowRun", true};

enum class ApprovalDecision { Approve, Reject };
const char* to_string(ApprovalDecision decision);

struct RunCancel {
  std::string reason;
  bool compensate = false;  // undo the steps that succeeded
  bool force = false;       // end `finally` too
};

// What one person says on one approval step. That `user` is true is the admission policy's promise.
struct GivenApproval {
  std::string step;
  std::string user;
  int round = 0;
  ApprovalDecision decision = ApprovalDecision::Approve;
  std::string comment;
};

// Asks for a run that failed to go on: a `round` above that of the status starts one.
struct RetryFrom {
  int round = 0;
  std::vector<std::string> steps;  // again although they succeeded, with all that follows them
};

struct WorkflowRunSpec {
  std::string workflow_name;
  RawJson workflow_spec;  // inline definition; exactly one of both
  std::string revision;   // pins a ControllerRevision of the Workflow; empty: the current one at the start
  RawJson parameters;     // an object
  std::string triggered_by;
  RawJson event;           // the CloudEvent that started it, in its JSON format; empty: none did
  std::string created_by;  // the user who created it; excluded from its approvals
  bool suspend = false;
  std::optional<RunCancel> cancel;
  std::vector<GivenApproval> approvals;
  RetryFrom retry_from;
  std::optional<Duration> ttl_after_finished;  // absent: see reconcilers/workflow/history.h
};

enum class RunPhase { Pending, Running, Suspended, Compensating, Succeeded, Failed, Cancelled, Compensated };
const char* to_string(RunPhase phase);
bool is_terminal(RunPhase phase);

enum class StepPhase { Pending, Running, Succeeded, Failed, Skipped, Cancelled, Compensating, Compensated };
const char* to_string(StepPhase phase);
bool is_terminal(StepPhase phase);

// One short row for each step; results live in its Tasks and runs.
struct StepStatus {
  std::string name;
  StepPhase phase = StepPhase::Pending;
  std::string reason;
  std::string message;  // at most 256 bytes
  std::string task_name;
  std::string run_name;           // of a step that is a workflow
  std::string compensation_name;  // of the Task that undoes it
  int iteration = 0;            // of a `repeat`, or of a state that was visited several times; the first is 1
  int round = 0;                // the round of `retryFrom` in which it ran
  int order = 0;                // the how-manieth step to succeed it was; what is undone is undone backwards
  std::string items;            // of a `forEach`: run-length text, see reconcilers/workflow/item_phases.h
  std::string item_iterations;  // of a `forEach` with `repeat`, see reconcilers/workflow/item_iterations.h
  std::string started_at;
  std::string completed_at;
  std::vector<std::string> approved_by;  // of an approval: whose word counted
  bool operator==(const StepStatus&) const = default;
};

struct StepCounts {
  int total = 0, pending = 0, running = 0, succeeded = 0, failed = 0, skipped = 0, cancelled = 0,
      compensated = 0;
  bool operator==(const StepCounts&) const = default;
};

struct WorkflowRunStatus {
  bool present = false;
  RunPhase phase = RunPhase::Pending;
  std::string reason;
  std::string message;
  std::int64_t observed_generation = 0;
  std::vector<Condition> conditions;
  std::string revision;  // what this run executes
  RawJson parameters;    // as resolved: given values over defaults
  std::vector<StepStatus> steps;
  StepCounts counts;
  std::string progress;          // "7/12", for printer columns
  RawJson outputs;               // an object
  int round = 0;                 // of `retryFrom`
  std::string round_started_at;  // when a round after the first began
  int transitions = 0;           // of a state machine
  std::string current_step;      // of a state machine
  std::string started_at;
  std::string completed_at;
  std::string duration;  // from start to end, for printer columns
  bool operator==(const WorkflowRunStatus&) const = default;
};

struct WorkflowRun {
  kube::ObjectMeta meta;
  WorkflowRunSpec spec;
  WorkflowRunStatus status;
  std::vector<std::string> malformed;

  static WorkflowRun from_json(const Json& object);
};

Json status_update(const WorkflowRun& current, const WorkflowRunStatus& status);
kube::ObjectReference reference(const WorkflowRun& run);

}  // namespace convoke::api
