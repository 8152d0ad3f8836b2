#include "reconcilers/api/workflow_run.h"

#include <utility>

#include "reconcilers/api/json_writer.h"
#include "reconcilers/api/shared_json.h"

namespace convoke::api {
namespace {

constexpr EnumNames<RunPhase, 8> kRunPhases{{{RunPhase::Pending, "Pending"},
                                             {RunPhase::Running, "Running"},
                                             {RunPhase::Suspended, "Suspended"},
                                             {RunPhase::Compensating, "Compensating"},
                                             {RunPhase::Succeeded, "Succeeded"},
                                             {RunPhase::Failed, "Failed"},
                                             {RunPhase::Cancelled, "Cancelled"},
                                             {RunPhase::Compensated, "Compensated"}}};

constexpr EnumNames<StepPhase, 8> kStepPhases{{{StepPhase::Pending, "Pending"},
                                               {StepPhase::Running, "Running"},
                                               {StepPhase::Succeeded, "Succeeded"},
                                               {StepPhase::Failed, "Failed"},
                                               {StepPhase::Skipped, "Skipped"},
                                               {StepPhase::Cancelled, "Cancelled"},
                                               {StepPhase::Compensating, "Compensating"},
                                               {StepPhase::Compensated, "Compensated"}}};

constexpr EnumNames<ApprovalDecision, 2> kApprovalDecisions{
    {{ApprovalDecision::Approve, "Approve"}, {ApprovalDecision::Reject, "Reject"}}};

std::optional<RunCancel> read_run_cancel(const FieldReader& parent) {
  const std::optional<FieldReader> reader = parent.optional_object("cancel");
  if (!reader) {
    return std::nullopt;
  }
  RunCancel cancel;
  reader->read("reason", cancel.reason);
  reader->read("compensate", cancel.compensate);
  reader->read("force", cancel.force);
  return cancel;
}

GivenApproval read_given_approval(const FieldReader& reader) {
  GivenApproval approval;
  reader.read("step", approval.step);
  reader.read("user", approval.user);
  reader.read("round", approval.round);
  reader.read("decision", approval.decision, kApprovalDecisions);
  reader.read("comment", approval.comment);
  return approval;
}

WorkflowRunSpec read_run_spec(const FieldReader& reader) {
  WorkflowRunSpec spec;
  reader.read("workflowName", spec.workflow_name);
  reader.read_raw_object("workflowSpec", spec.workflow_spec);
  reader.read("revision", spec.revision);
  reader.read_raw_object("parameters", spec.parameters);
  reader.read("triggeredBy", spec.triggered_by);
  reader.read_raw_object("event", spec.event);
  reader.read("suspend", spec.suspend);
  reader.read("createdBy", spec.created_by);
  spec.cancel = read_run_cancel(reader);
  reader.each_object("approvals",
                     [&](const FieldReader& item) { spec.approvals.push_back(read_given_approval(item)); });
  const FieldReader retry_from = reader.object("retryFrom");
  retry_from.read("round", spec.retry_from.round);
  retry_from.read("steps", spec.retry_from.steps);
  reader.read("ttlAfterFinished", spec.ttl_after_finished);
  return spec;
}

StepStatus read_step_status(const FieldReader& reader) {
  StepStatus step;
  reader.read("name", step.name);
  reader.read("phase", step.phase, kStepPhases);
  reader.read("reason", step.reason);
  reader.read("message", step.message);
  reader.read("taskName", step.task_name);
  reader.read("runName", step.run_name);
  reader.read("compensationName", step.compensation_name);
  reader.read("iteration", step.iteration);
  reader.read("round", step.round);
  reader.read("order", step.order);
  reader.read("items", step.items);
  reader.read("itemIterations", step.item_iterations);
  reader.read("startedAt", step.started_at);
  reader.read("completedAt", step.completed_at);
  reader.read("approvedBy", step.approved_by);
  return step;
}

StepCounts read_counts(const FieldReader& reader) {
  StepCounts counts;
  reader.read("total", counts.total);
  reader.read("pending", counts.pending);
  reader.read("running", counts.running);
  reader.read("succeeded", counts.succeeded);
  reader.read("failed", counts.failed);
  reader.read("skipped", counts.skipped);
  reader.read("cancelled", counts.cancelled);
  reader.read("compensated", counts.compensated);
  return counts;
}

WorkflowRunStatus read_run_status(const FieldReader& reader) {
  WorkflowRunStatus status;
  status.present = read_observed_generation(reader, status.observed_generation);
  reader.read("phase", status.phase, kRunPhases);
  reader.read("reason", status.reason);
  reader.read("message", status.message);
  status.conditions = read_conditions(reader);
  reader.read("revision", status.revision);
  reader.read_raw_object("parameters", status.parameters);
  reader.each_object("steps",
                     [&](const FieldReader& item) { status.steps.push_back(read_step_status(item)); });
  status.counts = read_counts(reader.object("counts"));
  reader.read("progress", status.progress);
  reader.read_raw_object("outputs", status.outputs);
  reader.read("round", status.round);
  reader.read("roundStartedAt", status.round_started_at);
  reader.read("transitions", status.transitions);
  reader.read("currentStep", status.current_step);
  reader.read("startedAt", status.started_at);
  reader.read("completedAt", status.completed_at);
  reader.read("duration", status.duration);
  return status;
}

Json step_to_json(const StepStatus& step) {
  Json json = {{"name", step.name}, {"phase", to_string(step.phase)}};
  put_text(json, "reason", step.reason);
  put_text(json, "message", step.message);
  put_text(json, "taskName", step.task_name);
  put_text(json, "runName", step.run_name);
  put_text(json, "compensationName", step.compensation_name);
  put_number(json, "iteration", step.iteration);
  put_number(json, "round", step.round);
  put_number(json, "order", step.order);
  put_text(json, "items", step.items);
  put_text(json, "itemIterations", step.item_iterations);
  put_text(json, "startedAt", step.started_at);
  put_text(json, "completedAt", step.completed_at);
  put_filled(json, "approvedBy", step.approved_by);
  return json;
}

Json counts_to_json(const StepCounts& counts) {
  Json json = Json::object();
  put_number(json, "total", counts.total);
  put_number(json, "pending", counts.pending);
  put_number(json, "running", counts.running);
  put_number(json, "succeeded", counts.succeeded);
  put_number(json, "failed", counts.failed);
  put_number(json, "skipped", counts.skipped);
  put_number(json, "cancelled", counts.cancelled);
  put_number(json, "compensated", counts.compensated);
  return json;
}

Json run_status_to_json(const WorkflowRunStatus& status) {
  Json json = {{"phase", to_string(status.phase)}};
  put_text(json, "reason", status.reason);
  put_text(json, "message", status.message);
  put_number(json, "observedGeneration", status.observed_generation);
  put_filled(json, "conditions", conditions_to_json(status.conditions));
  put_text(json, "revision", status.revision);
  put_raw(json, "parameters", status.parameters);
  Json steps = Json::array();
  for (const StepStatus& step : status.steps) {
    steps.push_back(step_to_json(step));
  }
  put_filled(json, "steps", std::move(steps));
  put_filled(json, "counts", counts_to_json(status.counts));
  put_text(json, "progress", status.progress);
  put_raw(json, "outputs", status.outputs);
  put_number(json, "round", status.round);
  put_text(json, "roundStartedAt", status.round_started_at);
  put_number(json, "transitions", status.transitions);
  put_text(json, "currentStep", status.current_step);
  put_text(json, "startedAt", status.started_at);
  put_text(json, "completedAt", status.completed_at);
  put_text(json, "duration", status.duration);
  return json;
}

}  // namespace

const char* to_string(RunPhase phase) {
  return name_of(kRunPhases, phase);
}

bool is_terminal(RunPhase phase) {
  return phase == RunPhase::Succeeded || phase == RunPhase::Failed || phase == RunPhase::Cancelled ||
         phase == RunPhase::Compensated;
}

const char* to_string(ApprovalDecision decision) {
  return name_of(kApprovalDecisions, decision);
}

const char* to_string(StepPhase phase) {
  return name_of(kStepPhases, phase);
}

bool is_terminal(StepPhase phase) {
  return phase != StepPhase::Pending && phase != StepPhase::Running;  // one that is being undone has ended
}

WorkflowRun WorkflowRun::from_json(const Json& object) {
  WorkflowRun run;
  const FieldReader reader(object, "", run.malformed);
  run.meta = kube::meta_from_json(object);
  run.spec = read_run_spec(reader.object("spec"));
  run.status = read_run_status(reader.object("status"));
  return run;
}

Json status_update(const WorkflowRun& current, const WorkflowRunStatus& status) {
  return status_body(kWorkflowRun, current.meta, run_status_to_json(status));
}

kube::ObjectReference reference(const WorkflowRun& run) {
  return reference_to(kWorkflowRun, run.meta);
}

}  // namespace convoke::api
