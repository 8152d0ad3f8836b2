// Workflow: a definition: parameters, steps and triggers. Also the spec that a WorkflowRun may carry inline
// and that a ControllerRevision keeps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/task.h"

namespace convoke::api {

inline const kube::ResourceType kWorkflow{kGroup, kVersion, "workflows", "Workflow", true};
inline const kube::ResourceType kControllerRevision{"apps", "v1", "controllerrevisions", "ControllerRevision",
                                                    true};

enum class ParameterType { String, Number, Boolean, Object, Array };
const char* to_string(ParameterType type);

struct Parameter {
  std::string name;
  ParameterType type = ParameterType::String;
  RawJson default_value;  // empty: none
  bool required = false;
  std::vector<RawJson> allowed;  // `enum`; empty: any
  std::string description;
};

enum class WorkflowMode { Graph, Sequential, Parallel };
const char* to_string(WorkflowMode mode);

enum class FailurePolicy { Abort, Continue };
const char* to_string(FailurePolicy policy);

// The `task` of a step: a TaskSpec whose strings may hold $( ) placeholders, kept as JSON text until the step
// starts.
struct Step {
  std::string name;
  std::vector<std::string> depends_on;
  RawJson task;  // {type, title, description, parameters, requires, priority, agentName, deadline}
  std::optional<RetryPolicy> retry;
  std::optional<Duration> timeout;
  bool optional = false;
};

struct OutputDefinition {
  std::string name;
  RawJson value;  // a JSON string with placeholders, or any JSON value
};

enum class TriggerType { Create };

struct HistoryLimits {
  int succeeded = 3;
  int failed = 3;
};

struct WorkflowSpec {
  std::string description;
  std::vector<Parameter> parameters;
  WorkflowMode mode = WorkflowMode::Graph;
  int parallelism = 10;
  std::optional<Duration> timeout;  // of a run, from its start; absent: 1 h
  FailurePolicy on_failure = FailurePolicy::Abort;
  std::optional<RetryPolicy> retry;  // default for steps
  std::vector<Step> steps;
  std::vector<OutputDefinition> outputs;
  std::vector<TriggerType> triggers = {TriggerType::Create};
  HistoryLimits history_limits;
  bool suspend = false;
};

struct WorkflowStatus {
  bool present = false;
  std::string phase;  // Pending, Ready, Invalid, Suspended
  std::int64_t observed_generation = 0;
  std::vector<Condition> conditions;
  std::string current_revision;  // name of the ControllerRevision of the last accepted generation
  std::int64_t current_revision_number = 0;
  std::string created_run;  // the run that the Create trigger made, once and for ever
  int active_runs = 0;
  std::string last_run;  // the run that started last, and its phase
  std::string last_run_phase;
  bool operator==(const WorkflowStatus&) const = default;
};

struct Workflow {
  kube::ObjectMeta meta;
  WorkflowSpec spec;
  RawJson spec_json;  // spec as applied: what a revision keeps
  WorkflowStatus status;
  std::vector<std::string> malformed;

  static Workflow from_json(const Json& object);
};

WorkflowSpec workflow_spec_from_json(const Json& spec, const std::string& path,
                                     std::vector<std::string>& malformed);
Json status_update(const Workflow& current, const WorkflowStatus& status);
kube::ObjectReference reference(const Workflow& workflow);

// A kept definition. `data` is the Workflow's spec as JSON text.
struct ControllerRevision {
  kube::ObjectMeta meta;
  std::int64_t revision = 0;
  RawJson data;

  static ControllerRevision from_json(const Json& object);
  Json to_json() const;
};

}  // namespace convoke::api
