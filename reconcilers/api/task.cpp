#include "reconcilers/api/task.h"

#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/json_writer.h"
#include "reconcilers/api/shared_json.h"

namespace convoke::api {
namespace {

constexpr EnumNames<TaskPhase, 7> kTaskPhases{{{TaskPhase::Pending, "Pending"},
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

constexpr EnumNames<AttemptOutcome, 10> kOutcomes{{{AttemptOutcome::Succeeded, "Succeeded"},
                                                   {AttemptOutcome::Failed, "Failed"},
                                                   {AttemptOutcome::Timeout, "Timeout"},
                                                   {AttemptOutcome::AgentLost, "AgentLost"},
                                                   {AttemptOutcome::Rejected, "Rejected"},
                                                   {AttemptOutcome::Cancelled, "Cancelled"},
                                                   {AttemptOutcome::Delegated, "Delegated"},
                                                   {AttemptOutcome::Rebalanced, "Rebalanced"},
                                                   {AttemptOutcome::Suspended, "Suspended"},
                                                   {AttemptOutcome::LockLost, "LockLost"}}};

constexpr EnumNames<Strategy, 6> kStrategies{{{Strategy::CapabilityMatch, "CapabilityMatch"},
                                              {Strategy::RoundRobin, "RoundRobin"},
                                              {Strategy::LeastLoaded, "LeastLoaded"},
                                              {Strategy::Random, "Random"},
                                              {Strategy::PerformanceBased, "PerformanceBased"},
                                              {Strategy::CostOptimized, "CostOptimized"}}};

constexpr EnumNames<Delivery, 2> kDeliveries{
    {{Delivery::AtLeastOnce, "AtLeastOnce"}, {Delivery::AtMostOnce, "AtMostOnce"}}};

constexpr EnumNames<LockMode, 2> kLockModes{
    {{LockMode::Exclusive, "Exclusive"}, {LockMode::Shared, "Shared"}}};

constexpr EnumNames<AggregationStrategy, 4> kAggregations{
    {{AggregationStrategy::All, "All"},
     {AggregationStrategy::Any, "Any"},
     {AggregationStrategy::Quorum, "Quorum"},
     {AggregationStrategy::FirstSuccess, "FirstSuccess"}}};

constexpr IntRange kPriority{1, 5};
constexpr IntRange kProgress{0, 100};
constexpr IntRange kPermits{0, 100'000};
constexpr IntRange kQuorum{0, 100};
constexpr Duration kShortestTimeout = std::chrono::milliseconds(1);

Requirements read_requirements(const FieldReader& reader) {
  Requirements requirements;
  reader.read("capabilities", requirements.capabilities);
  requirements.agent_selector = read_label_selector(reader.object("agentSelector"));
  reader.read("rule", requirements.rule);
  return requirements;
}

void read_locks(const FieldReader& reader, std::vector<LockRequest>& locks) {
  reader.each_object("locks", [&](const FieldReader& item) {
    LockRequest lock;
    item.read("name", lock.name);
    item.read("mode", lock.mode, kLockModes);
    item.read("permits", lock.permits, kPermits);
    locks.push_back(std::move(lock));
  });
}

void read_subtasks(const FieldReader& reader, TaskSpec& spec) {
  reader.each_object("subtasks", [&](const FieldReader& item) {
    Subtask subtask;
    item.read("name", subtask.name);
    item.read_raw_object("task", subtask.spec);
    spec.subtasks.push_back(std::move(subtask));
  });
  const FieldReader aggregation = reader.object("aggregation");
  aggregation.read("strategy", spec.aggregation.strategy, kAggregations);
  aggregation.read("quorum", spec.aggregation.quorum, kQuorum);
  aggregation.read("timeout", spec.aggregation.timeout, kShortestTimeout);
}

TaskSpec read_task_spec(const FieldReader& reader) {
  TaskSpec spec;
  reader.read("type", spec.type);
  reader.read("title", spec.title);
  reader.read("description", spec.description);
  reader.read_raw_object("parameters", spec.parameters);
  reader.read("priority", spec.priority, kPriority);
  spec.requires_ = read_requirements(reader.object("requires"));
  reader.read("agentName", spec.agent_name);
  reader.object("assignment").read("strategy", spec.strategy, kStrategies);
  reader.read("delivery", spec.delivery, kDeliveries);
  reader.read("notBefore", spec.not_before);
  reader.read("timeout", spec.timeout, kShortestTimeout);
  reader.read("deadline", spec.deadline, kShortestTimeout);
  spec.retry = read_retry(reader.object("retry"));
  read_locks(reader, spec.locks);
  read_subtasks(reader, spec);
  reader.read("idempotencyKey", spec.idempotency_key);
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
  reader.read("fencing", assignment.fencing);
  return assignment;
}

std::optional<LockWait> read_lock_wait(const FieldReader& parent) {
  const std::optional<FieldReader> reader = parent.optional_object("waitingForLock");
  if (!reader) {
    return std::nullopt;
  }
  LockWait wait;
  reader->read("name", wait.name);
  reader->read("position", wait.position);
  reader->read("heldBy", wait.held_by);
  return wait;
}

SubtaskRow read_subtask_row(const FieldReader& reader) {
  SubtaskRow row;
  reader.read("name", row.name);
  reader.read("taskName", row.task_name);
  reader.read("phase", row.phase, kTaskPhases);
  reader.read("reason", row.reason);
  return row;
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

TaskDispatch read_task_dispatch(const FieldReader& reader) {
  TaskDispatch dispatch;
  reader.read("assignmentID", dispatch.assignment_id);
  reader.read("agentName", dispatch.agent_name);
  reader.read("acceptedAt", dispatch.accepted_at);
  reader.read("location", dispatch.location);
  reader.read("jobName", dispatch.job_name);
  return dispatch;
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

TaskStatus read_task_status(const FieldReader& reader) {
  TaskStatus status;
  status.present = read_observed_generation(reader, status.observed_generation);
  reader.read("phase", status.phase, kTaskPhases);
  reader.read("reason", status.reason);
  reader.read("message", status.message);
  status.conditions = read_conditions(reader);
  reader.read("attempt", status.attempt);
  reader.read("agentName", status.agent_name);
  status.assignment = read_assignment(reader.object("assignment"));
  status.report = read_report(reader);
  status.dispatch = read_task_dispatch(reader.object("dispatch"));
  reader.read("queuedAt", status.queued_at);
  reader.read("assignedAt", status.assigned_at);
  reader.read("startedAt", status.started_at);
  reader.read("completedAt", status.completed_at);
  reader.read("retryAt", status.retry_at);
  reader.each_object("attempts",
                     [&](const FieldReader& item) { status.attempts.push_back(read_attempt(item)); });
  reader.read("delegations", status.delegations);
  status.waiting_for_lock = read_lock_wait(reader);
  reader.each_object("subtasks",
                     [&](const FieldReader& item) { status.subtasks.push_back(read_subtask_row(item)); });
  reader.read("resultFrom", status.result_from);
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
  put_filled(json, "fencing", Json(assignment.fencing));
  return json;
}

Json lock_wait_to_json(const LockWait& wait) {
  Json json = {{"name", wait.name}, {"position", wait.position}};
  put_text(json, "heldBy", wait.held_by);
  return json;
}

Json subtask_row_to_json(const SubtaskRow& row) {
  Json json = {{"name", row.name}};
  put_text(json, "taskName", row.task_name);
  put_text(json, "phase", row.phase ? to_string(*row.phase) : "");
  put_text(json, "reason", row.reason);
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

Json task_status_to_json(const TaskStatus& status) {
  Json json = {{"phase", to_string(status.phase)}};
  put_text(json, "reason", status.reason);
  put_text(json, "message", status.message);
  put_number(json, "observedGeneration", status.observed_generation);
  put_filled(json, "conditions", conditions_to_json(status.conditions));
  put_number(json, "attempt", status.attempt);
  put_text(json, "agentName", status.agent_name);
  put_filled(json, "assignment", assignment_to_json(status.assignment));
  put_raw(json, "report", status.report.raw);
  put_filled(json, "dispatch", dispatch_to_json(status.dispatch));
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
  put_number(json, "delegations", status.delegations);
  if (status.waiting_for_lock) {
    json["waitingForLock"] = lock_wait_to_json(*status.waiting_for_lock);
  }
  Json subtasks = Json::array();
  for (const SubtaskRow& row : status.subtasks) {
    subtasks.push_back(subtask_row_to_json(row));
  }
  put_filled(json, "subtasks", std::move(subtasks));
  put_text(json, "resultFrom", status.result_from);
  return json;
}

Json requirements_to_json(const Requirements& requirements) {
  Json json = Json::object();
  put_filled(json, "capabilities", requirements.capabilities);
  put_filled(json, "agentSelector", label_selector_to_json(requirements.agent_selector));
  put_text(json, "rule", requirements.rule);
  return json;
}

Json lock_to_json(const LockRequest& lock) {
  Json json = {{"name", lock.name}};
  if (lock.mode != LockMode::Exclusive) {
    json["mode"] = to_string(lock.mode);
  }
  put_number(json, "permits", lock.permits);
  return json;
}

Json aggregation_to_json(const Aggregation& aggregation) {
  Json json = Json::object();
  if (aggregation.strategy != AggregationStrategy::All) {
    json["strategy"] = to_string(aggregation.strategy);
  }
  put_number(json, "quorum", aggregation.quorum);
  if (aggregation.timeout) {
    json["timeout"] = format_duration(*aggregation.timeout);
  }
  return json;
}

// What belongs to a Task that is more than one piece of work for one agent.
void put_coordination(Json& json, const TaskSpec& spec) {
  Json locks = Json::array();
  for (const LockRequest& lock : spec.locks) {
    locks.push_back(lock_to_json(lock));
  }
  put_filled(json, "locks", std::move(locks));
  Json subtasks = Json::array();
  for (const Subtask& subtask : spec.subtasks) {
    Json item = {{"name", subtask.name}};
    put_raw(item, "task", subtask.spec);
    subtasks.push_back(std::move(item));
  }
  put_filled(json, "subtasks", std::move(subtasks));
  put_filled(json, "aggregation", aggregation_to_json(spec.aggregation));
  put_text(json, "idempotencyKey", spec.idempotency_key);
}

}  // namespace

const char* to_string(TaskPhase phase) {
  return name_of(kTaskPhases, phase);
}

const char* to_string(Strategy strategy) {
  return name_of(kStrategies, strategy);
}

const char* to_string(Delivery delivery) {
  return name_of(kDeliveries, delivery);
}

const char* to_string(LockMode mode) {
  return name_of(kLockModes, mode);
}

const char* to_string(AggregationStrategy strategy) {
  return name_of(kAggregations, strategy);
}

bool is_live(TaskPhase phase) {
  return phase == TaskPhase::Assigned || phase == TaskPhase::Running;
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

Json dispatch_to_json(const TaskDispatch& dispatch) {
  Json json = Json::object();
  put_text(json, "assignmentID", dispatch.assignment_id);
  put_text(json, "agentName", dispatch.agent_name);
  put_text(json, "acceptedAt", dispatch.accepted_at);
  put_text(json, "location", dispatch.location);
  put_text(json, "jobName", dispatch.job_name);
  return json;
}

Task Task::from_json(const Json& object) {
  Task task;
  const FieldReader reader(object, "", task.malformed);
  task.meta = kube::meta_from_json(object);
  task.spec = read_task_spec(reader.object("spec"));
  task.status = read_task_status(reader.object("status"));
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
  if (spec.strategy != defaults.strategy) {
    json["assignment"] = {{"strategy", to_string(spec.strategy)}};
  }
  if (spec.delivery != defaults.delivery) {
    json["delivery"] = to_string(spec.delivery);
  }
  put_text(json, "notBefore", spec.not_before);
  if (spec.timeout != defaults.timeout) {
    json["timeout"] = format_duration(spec.timeout);
  }
  if (spec.deadline != defaults.deadline) {
    json["deadline"] = format_duration(spec.deadline);
  }
  put_filled(json, "retry", retry_to_json(spec.retry));
  put_coordination(json, spec);
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
  return read_task_spec(FieldReader(spec, path, malformed));
}

Json status_update(const Task& current, const TaskStatus& status) {
  return status_body(kTask, current.meta, task_status_to_json(status));
}

kube::ObjectReference reference(const Task& task) {
  return reference_to(kTask, task.meta);
}

}  // namespace convoke::api
