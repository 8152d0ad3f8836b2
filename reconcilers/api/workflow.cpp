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

constexpr EnumNames<WorkflowMode, 3> kModes{{{WorkflowMode::Graph, "Graph"},
                                             {WorkflowMode::Sequential, "Sequential"},
                                             {WorkflowMode::Parallel, "Parallel"}}};

constexpr EnumNames<FailurePolicy, 2> kFailurePolicies{
    {{FailurePolicy::Abort, "Abort"}, {FailurePolicy::Continue, "Continue"}}};

constexpr EnumNames<TriggerType, 1> kTriggerTypes{{{TriggerType::Create, "Create"}}};

constexpr IntRange kParallelism{1, 10'000};
constexpr IntRange kHistoryLimit{0, 10'000};
constexpr Duration kShortestTimeout = std::chrono::milliseconds(1);

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

std::optional<RetryPolicy> read_optional_retry(const FieldReader& parent) {
  const std::optional<FieldReader> reader = parent.optional_object("retry");
  return reader ? std::optional(read_retry(*reader)) : std::nullopt;
}

Step read_step(const FieldReader& reader) {
  Step step;
  reader.read("name", step.name);
  reader.read("dependsOn", step.depends_on);
  reader.read_raw_object("task", step.task);
  step.retry = read_optional_retry(reader);
  reader.read("timeout", step.timeout, kShortestTimeout);
  reader.read("optional", step.optional);
  return step;
}

OutputDefinition read_output(const FieldReader& reader) {
  OutputDefinition output;
  reader.read("name", output.name);
  reader.read_raw("value", output.value);
  return output;
}

// An absent list means the default trigger; an empty one means none.
std::vector<TriggerType> read_triggers(const FieldReader& parent, std::vector<TriggerType> defaults) {
  if (!parent.has_list("triggers")) {
    return defaults;
  }
  std::vector<TriggerType> triggers;
  parent.each_object("triggers", [&](const FieldReader& item) {
    std::optional<TriggerType> type;
    item.read("type", type, kTriggerTypes);
    if (type) {
      triggers.push_back(*type);
    }
  });
  return triggers;
}

WorkflowSpec read_spec(const FieldReader& reader) {
  WorkflowSpec spec;
  reader.read("description", spec.description);
  reader.each_object("parameters",
                     [&](const FieldReader& item) { spec.parameters.push_back(read_parameter(item)); });
  reader.read("mode", spec.mode, kModes);
  reader.read("parallelism", spec.parallelism, kParallelism);
  reader.read("timeout", spec.timeout, kShortestTimeout);
  reader.read("onFailure", spec.on_failure, kFailurePolicies);
  spec.retry = read_optional_retry(reader);
  reader.each_object("steps", [&](const FieldReader& item) { spec.steps.push_back(read_step(item)); });
  reader.each_object("outputs", [&](const FieldReader& item) { spec.outputs.push_back(read_output(item)); });
  spec.triggers = read_triggers(reader, spec.triggers);
  const FieldReader limits = reader.object("historyLimits");
  limits.read("succeeded", spec.history_limits.succeeded, kHistoryLimit);
  limits.read("failed", spec.history_limits.failed, kHistoryLimit);
  reader.read("suspend", spec.suspend);
  return spec;
}

WorkflowStatus read_status(const FieldReader& reader) {
  WorkflowStatus status;
  status.present = read_observed_generation(reader, status.observed_generation);
  reader.read("phase", status.phase);
  status.conditions = read_conditions(reader);
  reader.read("currentRevision", status.current_revision);
  reader.read("currentRevisionNumber", status.current_revision_number);
  reader.read("createdRun", status.created_run);
  reader.read("activeRuns", status.active_runs);
  reader.read("lastRun", status.last_run);
  reader.read("lastRunPhase", status.last_run_phase);
  return status;
}

Json status_to_json(const WorkflowStatus& status) {
  Json json = {{"activeRuns", status.active_runs}};
  put_text(json, "phase", status.phase);
  put_number(json, "observedGeneration", status.observed_generation);
  put_filled(json, "conditions", conditions_to_json(status.conditions));
  put_text(json, "currentRevision", status.current_revision);
  put_number(json, "currentRevisionNumber", status.current_revision_number);
  put_text(json, "createdRun", status.created_run);
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

const char* to_string(FailurePolicy policy) {
  return name_of(kFailurePolicies, policy);
}

Workflow Workflow::from_json(const Json& object) {
  Workflow workflow;
  const FieldReader reader(object, "", workflow.malformed);
  workflow.meta = kube::meta_from_json(object);
  if (const std::optional<FieldReader> spec = reader.optional_object("spec")) {
    workflow.spec = read_spec(*spec);
    reader.read_raw("spec", workflow.spec_json);
  }
  workflow.status = read_status(reader.object("status"));
  return workflow;
}

WorkflowSpec workflow_spec_from_json(const Json& spec, const std::string& path,
                                     std::vector<std::string>& malformed) {
  return read_spec(FieldReader(spec, path, malformed));
}

Json status_update(const Workflow& current, const WorkflowStatus& status) {
  return status_body(kWorkflow, current.meta, status_to_json(status));
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
