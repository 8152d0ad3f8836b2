#include "reconcilers/api/workflow.h"

#include <utility>

#include "reconcilers/api/json_writer.h"
#include "reconcilers/api/shared_json.h"

namespace convoke::api {
namespace {

constexpr EnumNames<ParameterType, 5> kParameterTypes{{{ParameterType::String, "String"},
                                                       {ParameterType::Number, "Number"},
                                                       {ParameterType::Boolean, "Boolean"},
                                                       {ParameterType::Object, "Object"},
                                                       {ParameterType::Array, "Array"}}};

constexpr EnumNames<WorkflowMode, 4> kModes{{{WorkflowMode::Graph, "Graph"},
                                             {WorkflowMode::Sequential, "Sequential"},
                                             {WorkflowMode::Parallel, "Parallel"},
                                             {WorkflowMode::StateMachine, "StateMachine"}}};

constexpr EnumNames<FailurePolicy, 3> kFailurePolicies{{{FailurePolicy::Abort, "Abort"},
                                                        {FailurePolicy::Continue, "Continue"},
                                                        {FailurePolicy::Compensate, "Compensate"}}};

constexpr EnumNames<ApprovalTimeout, 3> kApprovalTimeouts{{{ApprovalTimeout::Fail, "Fail"},
                                                           {ApprovalTimeout::Approve, "Approve"},
                                                           {ApprovalTimeout::Skip, "Skip"}}};

constexpr IntRange kParallelism{1, 10'000};
constexpr IntRange kHistoryLimit{0, 10'000};
constexpr IntRange kMaxIterations{1, 10'000};
constexpr IntRange kMaxTransitions{1, 10'000};
constexpr IntRange kRequiredApprovals{1, 100};
constexpr Duration kShortestStepTimeout = std::chrono::milliseconds(1);

Parameter read_parameter(const FieldReader& reader) {
  Parameter parameter;
  reader.read("name", parameter.name);
  reader.read("type", parameter.type, kParameterTypes);
  reader.read_raw("default", parameter.default_value);
  reader.read("required", parameter.required);
  reader.read_raw_items("enum", parameter.allowed);
  reader.read("description", parameter.description);
  return parameter;
}

// The object in that field, read by `read`; nothing if there is none.
template <class T>
std::optional<T> read_optional(const FieldReader& parent, const char* key, T (*read)(const FieldReader&)) {
  const std::optional<FieldReader> reader = parent.optional_object(key);
  return reader ? std::optional(read(*reader)) : std::nullopt;
}

ForEach read_for_each(const FieldReader& reader) {
  ForEach for_each;
  reader.read_raw("items", for_each.items);
  if (const std::optional<FieldReader> range = reader.optional_object("range")) {
    range->read_raw("from", for_each.range_from);
    range->read_raw("to", for_each.range_to);
  }
  reader.read("as", for_each.as);
  int parallelism = 0;
  reader.read("parallelism", parallelism, kParallelism);
  for_each.parallelism = parallelism > 0 ? std::optional(parallelism) : std::nullopt;
  return for_each;
}

Repeat read_repeat(const FieldReader& reader) {
  Repeat repeat;
  reader.read("until", repeat.until);
  reader.read("maxIterations", repeat.max_iterations, kMaxIterations);
  reader.read("delay", repeat.delay);
  return repeat;
}

Approval read_approval(const FieldReader& reader) {
  Approval approval;
  reader.read("required", approval.required, kRequiredApprovals);
  reader.read("approvers", approval.approvers);
  reader.read("timeout", approval.timeout, kShortestStepTimeout);
  reader.read("onTimeout", approval.on_timeout, kApprovalTimeouts);
  return approval;
}

EventFilter read_event_filter(const FieldReader& reader) {
  EventFilter filter;
  reader.read("type", filter.type);
  reader.read("filter", filter.filter);
  return filter;
}

Wait read_wait(const FieldReader& reader) {
  Wait wait;
  reader.read("duration", wait.duration);
  reader.read("until", wait.until);
  wait.event = read_optional(reader, "event", read_event_filter);
  return wait;
}

SubWorkflow read_sub_workflow(const FieldReader& reader) {
  SubWorkflow workflow;
  reader.read("name", workflow.name);
  reader.read_raw_object("parameters", workflow.parameters);
  return workflow;
}

Transition read_transition(const FieldReader& reader) {
  Transition transition;
  reader.read("when", transition.when);
  reader.read("to", transition.to);
  return transition;
}

Step read_step(const FieldReader& reader) {
  Step step;
  reader.read("name", step.name);
  reader.read("dependsOn", step.depends_on);
  reader.read("when", step.when);
  reader.read_raw_object("task", step.task);
  step.approval = read_optional(reader, "approval", read_approval);
  step.wait = read_optional(reader, "wait", read_wait);
  step.workflow = read_optional(reader, "workflow", read_sub_workflow);
  step.for_each = read_optional(reader, "forEach", read_for_each);
  step.repeat = read_optional(reader, "repeat", read_repeat);
  step.retry = read_optional(reader, "retry", read_retry);
  reader.read("timeout", step.timeout, kShortestStepTimeout);
  reader.read("optional", step.optional);
  reader.read_raw_object("compensate", step.compensate);
  reader.each_object("transitions",
                     [&](const FieldReader& item) { step.transitions.push_back(read_transition(item)); });
  return step;
}

OutputDefinition read_output(const FieldReader& reader) {
  OutputDefinition output;
  reader.read("name", output.name);
  reader.read_raw("value", output.value);
  return output;
}

WorkflowSpec read_workflow_spec(const FieldReader& reader) {
  WorkflowSpec spec;
  reader.read("description", spec.description);
  reader.each_object("parameters",
                     [&](const FieldReader& item) { spec.parameters.push_back(read_parameter(item)); });
  reader.read("mode", spec.mode, kModes);
  reader.read("parallelism", spec.parallelism, kParallelism);
  reader.read("timeout", spec.timeout, kShortestStepTimeout);
  reader.read("onFailure", spec.on_failure, kFailurePolicies);
  spec.retry = read_optional(reader, "retry", read_retry);
  reader.each_object("steps", [&](const FieldReader& item) { spec.steps.push_back(read_step(item)); });
  reader.each_object("finally", [&](const FieldReader& item) { spec.finally.push_back(read_step(item)); });
  reader.read("maxTransitions", spec.max_transitions, kMaxTransitions);
  reader.each_object("outputs", [&](const FieldReader& item) { spec.outputs.push_back(read_output(item)); });
  spec.triggers = read_triggers(reader, spec.triggers);
  const FieldReader limits = reader.object("historyLimits");
  limits.read("succeeded", spec.history_limits.succeeded, kHistoryLimit);
  limits.read("failed", spec.history_limits.failed, kHistoryLimit);
  reader.read("suspend", spec.suspend);
  return spec;
}

WorkflowStatus read_workflow_status(const FieldReader& reader) {
  WorkflowStatus status;
  status.present = read_observed_generation(reader, status.observed_generation);
  reader.read("phase", status.phase);
  status.conditions = read_conditions(reader);
  reader.read("currentRevision", status.current_revision);
  reader.read("currentRevisionNumber", status.current_revision_number);
  reader.read("createdRun", status.created_run);
  status.triggers = read_trigger_rows(reader);
  reader.read("nextScheduleTime", status.next_schedule_time);
  reader.read("pastEvents", status.past_events);
  reader.read("activeRuns", status.active_runs);
  reader.read("lastRun", status.last_run);
  reader.read("lastRunPhase", status.last_run_phase);
  return status;
}

Json workflow_status_to_json(const WorkflowStatus& status) {
  Json json = {{"activeRuns", status.active_runs}};
  put_text(json, "phase", status.phase);
  put_number(json, "observedGeneration", status.observed_generation);
  put_filled(json, "conditions", conditions_to_json(status.conditions));
  put_text(json, "currentRevision", status.current_revision);
  put_number(json, "currentRevisionNumber", status.current_revision_number);
  put_text(json, "createdRun", status.created_run);
  put_filled(json, "triggers", trigger_rows_to_json(status.triggers));
  put_text(json, "nextScheduleTime", status.next_schedule_time);
  put_filled(json, "pastEvents", Json(status.past_events));
  put_text(json, "lastRun", status.last_run);
  put_text(json, "lastRunPhase", status.last_run_phase);
  return json;
}

}  // namespace

const char* to_string(ParameterType type) {
  return name_of(kParameterTypes, type);
}

const char* to_string(WorkflowMode mode) {
  return name_of(kModes, mode);
}

const char* to_string(ApprovalTimeout action) {
  return name_of(kApprovalTimeouts, action);
}

const char* to_string(FailurePolicy policy) {
  return name_of(kFailurePolicies, policy);
}

Workflow Workflow::from_json(const Json& object) {
  Workflow workflow;
  const FieldReader reader(object, "", workflow.malformed);
  workflow.meta = kube::meta_from_json(object);
  if (const std::optional<FieldReader> spec = reader.optional_object("spec")) {
    workflow.spec = read_workflow_spec(*spec);
    reader.read_raw("spec", workflow.spec_json);
  }
  workflow.status = read_workflow_status(reader.object("status"));
  return workflow;
}

WorkflowSpec workflow_spec_from_json(const Json& spec, const std::string& path,
                                     std::vector<std::string>& malformed) {
  return read_workflow_spec(FieldReader(spec, path, malformed));
}

Json status_update(const Workflow& current, const WorkflowStatus& status) {
  return status_body(kWorkflow, current.meta, workflow_status_to_json(status));
}

kube::ObjectReference reference(const Workflow& workflow) {
  return reference_to(kWorkflow, workflow.meta);
}

ControllerRevision ControllerRevision::from_json(const Json& object) {
  ControllerRevision revision;
  std::vector<std::string> problems;
  const FieldReader reader(object, "", problems);
  revision.meta = kube::meta_from_json(object);
  reader.read("revision", revision.revision);
  reader.read_raw_object("data", revision.data);
  return revision;
}

Json ControllerRevision::to_json() const {
  Json json = {{"apiVersion", kControllerRevision.api_version()},
               {"kind", kControllerRevision.kind},
               {"metadata", kube::meta_to_json(meta)},
               {"revision", revision}};
  put_raw(json, "data", data);
  return json;
}

}  // namespace convoke::api
