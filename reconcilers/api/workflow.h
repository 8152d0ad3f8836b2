// Workflow: a definition: parameters, steps and triggers. Also the spec that a WorkflowRun may carry inline
// and that a ControllerRevision keeps.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/task.h"
#include "reconcilers/api/trigger.h"

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

enum class WorkflowMode { Graph, Sequential, Parallel, StateMachine };
const char* to_string(WorkflowMode mode);

enum class FailurePolicy { Abort, Continue, Compensate };
const char* to_string(FailurePolicy policy);

// A step once for each item. Exactly one of `items` and the bounds is given.
struct ForEach {
  RawJson items;       // a list, a map, or a placeholder that gives one
  RawJson range_from;  // whole numbers, or placeholders that give some; both ends belong to the range
  RawJson range_to;
  std::string as = "item";
  std::optional<int> parallelism;  // absent: as much as the run's
};

// A step again and again, until `until` holds.
struct Repeat {
  std::string until;  // CEL
  int max_iterations = 10;
  Duration delay = Duration::zero();  // from the end of one iteration to the start of the next
};

enum class ApprovalTimeout { Fail, Approve, Skip };
const char* to_string(ApprovalTimeout action);

struct Approval {
  int required = 1;
  std::vector<std::string> approvers;  // names of users; empty: whoever may approve
  Duration timeout = std::chrono::hours(24);
  ApprovalTimeout on_timeout = ApprovalTimeout::Fail;
};

struct EventFilter {
  std::string type;    // of the CloudEvent
  std::string filter;  // CEL over `event`; empty: every event of that type
};

// Exactly one of the three is given.
struct Wait {
  std::string duration;  // "10m", or a placeholder that gives such a text
  std::string until;     // CEL: a bool, or the time to wait for
  std::optional<EventFilter> event;
};

struct SubWorkflow {
  std::string name;    // may hold placeholders
  RawJson parameters;  // an object; may hold placeholders
};

// Where a state machine goes when the step has ended. No `when`: always.
struct Transition {
  std::string when;  // CEL
  std::string to;
};

// One step: exactly one of `task`, `approval`, `wait` and `workflow`. A TaskSpec whose strings may hold $( )
// placeholders is kept as JSON text until the step starts.
struct Step {
  std::string name;
  std::vector<std::string> depends_on;  // "build", or with an outcome: "build.Succeeded"
  std::string when;                     // CEL; empty: always
  RawJson task;  // {type, title, description, parameters, requires, priority, agentName, deadline}
  std::optional<Approval> approval;
  std::optional<Wait> wait;
  std::optional<SubWorkflow> workflow;
  std::optional<ForEach> for_each;
  std::optional<Repeat> repeat;
  std::optional<RetryPolicy> retry;
  std::optional<Duration> timeout;
  bool optional = false;
  RawJson compensate;  // a TaskSpec as `task`: the Task that undoes this step
  std::vector<Transition> transitions;
};

struct OutputDefinition {
  std::string name;
  RawJson value;  // a JSON string with placeholders, or any JSON value
};

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
  std::vector<Step> finally;  // run when the steps have ended, however they did
  int max_transitions = 100;  // of a state machine
  std::vector<OutputDefinition> outputs;
  std::vector<Trigger> triggers = {Trigger{}};  // Create
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
  std::string created_run;              // the run that the Create trigger made, once and for ever
  std::vector<TriggerStatus> triggers;  // of the types Schedule and Change, in the order of spec.triggers
  std::string next_schedule_time;       // the first of them
  // Events whose runs the history limits have deleted (event_key() of each), the oldest first.
  std::vector<std::string> past_events;
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
