// WorkflowRun: one execution of a Workflow.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/workflow.h"

namespace convoke::api {

inline const kube::ResourceType kWorkflowRun{kGroup, kVersion, "workflowruns", "WorkflowRun", true};

struct WorkflowRunSpec {
  std::string workflow_name;
  RawJson workflow_spec;  // inline definition; exactly one of both
  std::string revision;   // pins a ControllerRevision of the Workflow; empty: the current one at the start
  RawJson parameters;     // an object
  std::string triggered_by;
  bool suspend = false;
  std::optional<Cancel> cancel;
};

enum class RunPhase { Pending, Running, Suspended, Succeeded, Failed, Cancelled };
const char* to_string(RunPhase phase);
bool is_terminal(RunPhase phase);

enum class StepPhase { Pending, Running, Succeeded, Failed, Skipped, Cancelled };
const char* to_string(StepPhase phase);
bool is_terminal(StepPhase phase);

// One short row for each step; results live in the Task.
struct StepStatus {
  std::string name;
  StepPhase phase = StepPhase::Pending;
  std::string reason;
  std::string message;  // at most 256 bytes
  std::string task_name;
  std::string started_at;
  std::string completed_at;
  bool operator==(const StepStatus&) const = default;
};

struct StepCounts {
  int total = 0, pending = 0, running = 0, succeeded = 0, failed = 0, skipped = 0, cancelled = 0;
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
  std::string progress;  // "7/12", for printer columns
  RawJson outputs;       // an object
  std::string started_at;
  std::string completed_at;
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
