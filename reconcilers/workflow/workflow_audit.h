// What the audit log is told of Workflows, their runs and the children of both: pure functions.
#pragma once

#include <optional>

#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::workflow {

// `after` was written over the status of `before`, and `answer` is what the API server said. None if neither
// the phase nor its reason changed.
std::optional<api::AuditEntry> audit_entry(const api::WorkflowRun& before,
                                           const api::WorkflowRunStatus& after, const Json& answer);
std::optional<api::AuditEntry> audit_entry(const api::Workflow& before, const api::WorkflowStatus& after,
                                           const Json& answer);

// `answer` is the object of that type which was made for `owner`: "WorkflowRun/name".
api::AuditEntry audit_of_creation(const kube::ResourceType& type, const Json& answer,
                                  const std::string& owner);
api::AuditEntry audit_of_removal(const kube::ResourceType& type, const kube::ObjectMeta& meta,
                                 const char* reason);

}  // namespace convoke::workflow
