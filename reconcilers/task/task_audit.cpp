#include "reconcilers/task/task_audit.h"

#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

using api::AttemptOutcome;
using api::AuditCause;
using api::TaskPhase;

bool differs(const api::TaskStatus& before, const api::TaskStatus& after) {
  return before.present != after.present || before.phase != after.phase || before.reason != after.reason ||
         before.assignment.id != after.assignment.id;
}

// The attempt that ended with this write; null if none did.
const api::AttemptRecord* ended_attempt(const api::TaskStatus& before, const api::TaskStatus& after) {
  const bool ended = !after.attempts.empty() &&
                     (before.attempts.empty() || !(before.attempts.back() == after.attempts.back()));
  return ended ? &after.attempts.back() : nullptr;
}

bool is_the_agents_word(AttemptOutcome outcome) {
  return outcome == AttemptOutcome::Succeeded || outcome == AttemptOutcome::Failed ||
         outcome == AttemptOutcome::Rejected;
}

AuditCause cause_of(const api::Task& before, const api::TaskStatus& after, const Json& answer) {
  if (after.phase == TaskPhase::Cancelled) {
    return api::caused_by_spec(answer, "cancel");
  }
  if (after.reason == reason::kSuspended) {
    return api::caused_by_spec(answer, "suspend");
  }
  if (after.reason == reason::kDelegated) {
    return api::caused_by_spec(answer, "agentName");
  }
  if (after.reason == reason::kInvalidSpec) {
    return api::caused_by_spec(answer, "");
  }
  const auto* ended = ended_attempt(before.status, after);
  if (after.phase == TaskPhase::Running || (ended != nullptr && is_the_agents_word(ended->outcome))) {
    return {AuditCause::Kind::Agent, before.status.agent_name};
  }
  return {};
}

}  // namespace

std::optional<api::AuditEntry> audit_entry(const api::Task& before, const api::TaskStatus& after,
                                           const Json& answer) {
  if (!differs(before.status, after)) {
    return {};
  }
  api::AuditEntry entry;
  entry.object = api::reference(before);
  entry.object.resource_version = kube::meta_from_json(answer).resource_version;
  entry.generation = after.observed_generation;
  entry.from = before.status.present ? api::to_string(before.status.phase) : "";
  entry.to = api::to_string(after.phase);
  entry.reason = after.reason;
  entry.cause = cause_of(before, after, answer);
  entry.attempt = after.attempt;
  entry.agent_name = after.agent_name;
  if (after.assignment.id != before.status.assignment.id || after.reason == reason::kNoEligibleAgent ||
      after.reason == reason::kAgentsBusy) {
    entry.assignment = after.assignment;
  }
  return entry;
}

api::AuditEntry audit_of_creation(const Json& answer, const api::Task& whole) {
  const api::Task subtask = api::Task::from_json(answer);
  api::AuditEntry entry;
  entry.object = api::reference(subtask);
  entry.action = api::AuditAction::Created;
  entry.generation = subtask.meta.generation;
  entry.owner = "Task/" + whole.meta.name;
  return entry;
}

api::AuditEntry audit_of_removal(const api::Task& task, const char* why) {
  api::AuditEntry entry;
  entry.object = api::reference(task);
  entry.action = api::AuditAction::Deleted;
  entry.generation = task.meta.generation;
  entry.from = api::to_string(task.status.phase);
  entry.reason = why;
  return entry;
}

}  // namespace convoke::task
