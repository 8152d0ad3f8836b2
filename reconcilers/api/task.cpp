#include "reconcilers/api/task.h"

#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/json_writer.h"
#include "reconcilers/api/shared_json.h"

namespace convoke::api {
namespace {

constexpr EnumNames<TaskPhase, 7> kPhases{{{TaskPhase::Pending, "Pending"},
                                           {TaskPhase::Queued, "Queued"},
                                           {TaskPhase::Assigned, "Assigned"},
                                           {TaskPhase::Running, "Running"},
                                           {TaskPhase::Succeeded, "Succeeded"},
                                           {TaskPhase::Failed, "Failed"},
                                           {TaskPhase::Cancelled, "Cancelled"}}};

constexpr EnumNames<ReportState, 4> kReportStates{{{ReportState::Running, "Running"},
                                                   {ReportState::Succeeded, "Succeeded"},
                                                   {ReportState::Failed, "Failed"},
                                                   {ReportState::Rejected, "Rejected"}}};

constexpr EnumNames<AttemptOutcome, 6> kOutcomes{{{AttemptOutcome::Succeeded, "Succeeded"},
                                                  {AttemptOutcome::Failed, "Failed"},
                                                  {AttemptOutcome::Timeout, "Timeout"},
                                                  {AttemptOutcome::AgentLost, "AgentLost"},
                                                  {AttemptOutcome::Rejected, "Rejected"},
                                                  {AttemptOutcome::Cancelled, "Cancelled"}}};

constexpr IntRange kPriority{1, 5};
constexpr IntRange kProgress{0, 100};
constexpr Duration kShortestTimeout = std::chrono::milliseconds(1);

Requirements read_requirements(const FieldReader& reader) {
  Requirements requirements;
  reader.read("capabilities", requirements.capabilities);
  requirements.agent_selector = read_label_selector(reader.object("agentSelector"));
  return requirements;
}

TaskSpec read_spec(const FieldReader& reader) {
  TaskSpec spec;
  reader.read("type", spec.type);
  reader.read("title", spec.title);
  reader.read("description", spec.description);
  reader.read_raw_object("parameters", spec.parameters);
  reader.read("priority", spec.priority, kPriority);
  spec.requires_ = read_requirements(reader.object("requires"));
  reader.read("agentName", spec.agent_name);
  reader.read("timeout", spec.timeout, kShortestTimeout);
  reader.read("deadline", spec.deadline, kShortestTimeout);
  spec.retry = read_retry(reader.object("retry"));
  reader.read("suspend", spec.suspend);
  spec.cancel = read_cancel(reader);
  reader.read("ttlAfterFinished", spec.ttl_after_finished);
  return spec;
}

Assignment read_assignment(const FieldReader& reader) {
  Assignment assignment;
  reader.read("id", assignment.id);
  reader.read("strategy", assignment.strategy);
  reader.read("score", assignment.score);
  reader.read("candidates", assignment.candidates);
  reader.read("time", assignment.time);
  reader.each_object("rejected", [&](const FieldReader& item) {
    RejectedAgent rejected;
    item.read("agentName", rejected.agent_name);
    item.read("reason", rejected.reason);
    assignment.rejected.push_back(std::move(rejected));
  });
  return assignment;
}

Report read_report(const FieldReader& parent) {
  Report report;
  const FieldReader reader = parent.object("report");
  reader.read("assignmentID", report.assignment_id);
  reader.read("state", report.state, kReportStates);
  reader.read("progress", report.progress, kProgress);
  reader.read("message", report.message);
  reader.read_raw_object("outputs", report.outputs);
  const FieldReader error = reader.object("error");
  error.read("code", report.error_code);
  error.read("message", report.error_message);
  error.read("retryable", report.error_retryable);
  reader.read("startedAt", report.started_at);
  reader.read("finishedAt", report.finished_at);
  if (reader.has_fields()) {
    parent.read_raw("report", report.raw);
  }
  return report;
}

AttemptRecord read_attempt(const FieldReader& reader) {
  AttemptRecord attempt;
  reader.read("attempt", attempt.attempt);
  reader.read("agentName", attempt.agent_name);
  reader.read("assignmentID", attempt.assignment_id);
  reader.read("outcome", attempt.outcome, kOutcomes);
  reader.read("reason", attempt.reason);
  reader.read("message", attempt.message);
  reader.read("assignedAt", attempt.assigned_at);
  reader.read("startedAt", attempt.started_at);
  reader.read("finishedAt", attempt.finished_at);
  return attempt;
}

TaskStatus read_status(const FieldReader& reader) {
  TaskStatus status;
  status.present = read_observed_generation(reader, status.observed_generation);
  reader.read("phase", status.phase, kPhases);
  reader.read("reason", status.reason);
  reader.read("message", status.message);
  status.conditions = read_conditions(reader);
  reader.read("attempt", status.attempt);
  reader.read("agentName", status.agent_name);
  status.assignment = read_assignment(reader.object("assignment"));
  status.report = read_report(reader);
  reader.read("queuedAt", status.queued_at);
  reader.read("assignedAt", status.assigned_at);
  reader.read("startedAt", status.started_at);
  reader.read("completedAt", status.completed_at);
  reader.read("retryAt", status.retry_at);
  reader.each_object("attempts",
                     [&](const FieldReader& item) { status.attempts.push_back(read_attempt(item)); });
  return status;
}

Json assignment_to_json(const Assignment& assignment) {
  Json json = Json::object();
  put_text(json, "id", assignment.id);
  put_text(json, "strategy", assignment.strategy);
  put_text(json, "score", assignment.score);
  put_number(json, "candidates", assignment.candidates);
  put_text(json, "time", assignment.time);
  Json rejected = Json::array();
  for (const RejectedAgent& agent : assignment.rejected) {
    rejected.push_back({{"agentName", agent.agent_name}, {"reason", agent.reason}});
  }
  put_filled(json, "rejected", std::move(rejected));
  return json;
}

Json attempt_to_json(const AttemptRecord& attempt) {
  Json json = {{"attempt", attempt.attempt}, {"outcome", to_string(attempt.outcome)}};
  put_text(json, "agentName", attempt.agent_name);
  put_text(json, "assignmentID", attempt.assignment_id);
  put_text(json, "reason", attempt.reason);
  put_text(json, "message", attempt.message);
  put_text(json, "assignedAt", attempt.assigned_at);
  put_text(json, "startedAt", attempt.started_at);
  put_text(json, "finishedAt", attempt.finished_at);
  return json;
}

Json status_to_json(const TaskStatus& status) {
  Json json = {{"phase", to_string(status.phase)}};
  put_text(json, "reason", status.reason);
  put_text(json, "message", status.message);
  put_number(json, "observedGeneration", status.observed_generation);
  put_filled(json, "conditions", conditions_to_json(status.conditions));
  put_number(json, "attempt", status.attempt);
  put_text(json, "agentName", status.agent_name);
  put_filled(json, "assignment", assignment_to_json(status.assignment));
  put_raw(json, "report", status.report.raw);
  put_text(json, "queuedAt", status.queued_at);
  put_text(json, "assignedAt", status.assigned_at);
  put_text(json, "startedAt", status.started_at);
  put_text(json, "completedAt", status.completed_at);
  put_text(json, "retryAt", status.retry_at);
  Json attempts = Json::array();
  for (const AttemptRecord& attempt : status.attempts) {
    attempts.push_back(attempt_to_json(attempt));
  }
  put_filled(json, "attempts", std::move(attempts));
  return json;
}

Json requirements_to_json(const Requirements& requirements) {
  Json json = Json::object();
  put_filled(json, "capabilities", requirements.capabilities);
  put_filled(json, "agentSelector", label_selector_to_json(requirements.agent_selector));
  return json;
}

}  // namespace

const char* to_string(TaskPhase phase) {
  return name_of(kPhases, phase);
}

bool is_terminal(TaskPhase phase) {
  return phase == TaskPhase::Succeeded || phase == TaskPhase::Failed || phase == TaskPhase::Cancelled;
}

const char* to_string(AttemptOutcome outcome) {
  return name_of(kOutcomes, outcome);
}

std::vector<std::string> TaskSpec::required_capabilities() const {
  return requires_.capabilities.empty() ? std::vector<std::string>{type} : requires_.capabilities;
}

Task Task::from_json(const Json& object) {
  Task task;
  const FieldReader reader(object, "", task.malformed);
  task.meta = kube::meta_from_json(object);
  task.spec = read_spec(reader.object("spec"));
  task.status = read_status(reader.object("status"));
  return task;
}

Json spec_to_json(const TaskSpec& spec) {
  const TaskSpec defaults;
  Json json = {{"type", spec.type}};
  put_text(json, "title", spec.title);
  put_text(json, "description", spec.description);
  put_raw(json, "parameters", spec.parameters);
  if (spec.priority != defaults.priority) {
    json["priority"] = spec.priority;
  }
  put_filled(json, "requires", requirements_to_json(spec.requires_));
  put_text(json, "agentName", spec.agent_name);
  if (spec.timeout != defaults.timeout) {
    json["timeout"] = format_duration(spec.timeout);
  }
  if (spec.deadline != defaults.deadline) {
    json["deadline"] = format_duration(spec.deadline);
  }
  put_filled(json, "retry", retry_to_json(spec.retry));
  put_flag(json, "suspend", spec.suspend);
  if (spec.cancel) {
    json["cancel"] = Json::object();
    put_text(json["cancel"], "reason", spec.cancel->reason);
  }
  if (spec.ttl_after_finished) {
    json["ttlAfterFinished"] = format_duration(*spec.ttl_after_finished);
  }
  return json;
}

TaskSpec task_spec_from_json(const Json& spec, const std::string& path, std::vector<std::string>& malformed) {
  return read_spec(FieldReader(spec, path, malformed));
}

Json status_update(const Task& current, const TaskStatus& status) {
  return status_body(kTask, current.meta, status_to_json(status));
}

kube::ObjectReference reference(const Task& task) {
  return reference_to(kTask, task.meta);
}

}  // namespace convoke::api
