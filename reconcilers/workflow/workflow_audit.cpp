#include "reconcilers/workflow/workflow_audit.h"

#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

using api::AuditEntry;
using api::RunPhase;

kube::ObjectReference reference_to(const kube::ResourceType& type, const kube::ObjectMeta& meta) {
  return {type, meta.namespace_, meta.name, meta.uid, meta.resource_version};
}

bool is_invalid(const std::string& why) {
  return why == reason::kInvalidDefinition || why == reason::kInvalidSpec ||
         why == reason::kInvalidParameters;
}

api::AuditCause cause_of(const api::WorkflowRunStatus& before, const api::WorkflowRunStatus& after,
                         const Json& answer) {
  if (after.phase == RunPhase::Cancelled || after.reason == reason::kCancelled) {
    return api::caused_by_spec(answer, "cancel");
  }
  if (after.phase == RunPhase::Suspended || before.phase == RunPhase::Suspended) {
    return api::caused_by_spec(answer, "suspend");
  }
  return is_invalid(after.reason) ? api::caused_by_spec(answer, "") : api::AuditCause{};
}

}  // namespace

std::optional<AuditEntry> audit_entry(const api::WorkflowRun& before, const api::WorkflowRunStatus& after,
                                      const Json& answer) {
  const auto& held = before.status;
  if (held.present == after.present && held.phase == after.phase && held.reason == after.reason) {
    return {};
  }
  AuditEntry entry;
  entry.object = reference_to(api::kWorkflowRun, before.meta);
  entry.object.resource_version = kube::meta_from_json(answer).resource_version;
  entry.generation = after.observed_generation;
  entry.from = held.present ? api::to_string(held.phase) : "";
  entry.to = api::to_string(after.phase);
  entry.reason = after.reason;
  entry.cause = cause_of(held, after, answer);
  return entry;
}

std::optional<AuditEntry> audit_entry(const api::Workflow& before, const api::WorkflowStatus& after,
                                      const Json& answer) {
  const auto* ready_before = api::find_condition(before.status.conditions, api::condition::kReady);
  const auto* ready = api::find_condition(after.conditions, api::condition::kReady);
  const std::string why = ready == nullptr ? "" : ready->reason;
  const std::string why_before = ready_before == nullptr ? "" : ready_before->reason;
  if (before.status.present && before.status.phase == after.phase && why == why_before) {
    return {};
  }
  AuditEntry entry;
  entry.object = reference_to(api::kWorkflow, before.meta);
  entry.object.resource_version = kube::meta_from_json(answer).resource_version;
  entry.generation = after.observed_generation;
  entry.from = before.status.present ? before.status.phase : "";
  entry.to = after.phase;
  entry.reason = why;
  entry.cause =
      why == reason::kSuspended ? api::caused_by_spec(answer, "suspend") : api::caused_by_spec(answer, "");
  return entry;
}

AuditEntry audit_of_creation(const kube::ResourceType& type, const Json& answer, const std::string& owner) {
  AuditEntry entry;
  entry.object = reference_to(type, kube::meta_from_json(answer));
  entry.action = api::AuditAction::Created;
  entry.generation = kube::meta_from_json(answer).generation;
  entry.owner = owner;
  return entry;
}

AuditEntry audit_of_removal(const kube::ResourceType& type, const kube::ObjectMeta& meta,
                            const char* reason) {
  AuditEntry entry;
  entry.object = reference_to(type, meta);
  entry.action = api::AuditAction::Deleted;
  entry.generation = meta.generation;
  entry.reason = reason;
  return entry;
}

}  // namespace convoke::workflow
