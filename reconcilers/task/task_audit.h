// What the audit log is told of a Task: pure functions.
#pragma once

#include <optional>

#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

// `after` was written over the status of `before`, and `answer` is what the API server said. None if neither
// the phase, nor its reason, nor the assignment changed.
std::optional<api::AuditEntry> audit_entry(const api::Task& before, const api::TaskStatus& after,
                                           const Json& answer);

// The operator deleted a Task, such as one that ended long ago.
api::AuditEntry audit_of_removal(const api::Task& task, const char* why);

// The operator created a subtask of `whole`; `answer` is what the API server said.
api::AuditEntry audit_of_creation(const Json& answer, const api::Task& whole);

}  // namespace convoke::task
