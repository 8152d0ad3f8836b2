// Names that people and dashboards see: reasons of conditions, rows and Events, and the annotations that the
// workflow reconcilers write. Start at workflow_reconciler.h and run_reconciler.h to read this folder.
#pragma once

namespace convoke::workflow {

namespace reason {
// A definition or a run that cannot work until a person changes it.
inline constexpr char kInvalidDefinition[] = "InvalidDefinition";
inline constexpr char kInvalidSpec[] = "InvalidSpec";
inline constexpr char kInvalidParameters[] = "InvalidParameters";

// A run that waits for its definition.
inline constexpr char kWorkflowNotFound[] = "WorkflowNotFound";
inline constexpr char kWorkflowNotReady[] = "WorkflowNotReady";
inline constexpr char kRevisionNotFound[] = "RevisionNotFound";

// A Workflow.
inline constexpr char kAccepted[] = "Accepted";
inline constexpr char kSuspended[] = "Suspended";
inline constexpr char kRunCreated[] = "RunCreated";

// A run on its way. The last three say why it is being ended; they stay until its Tasks have ended too.
inline constexpr char kRunning[] = "Running";
inline constexpr char kResumed[] = "Resumed";
inline constexpr char kCancelled[] = "Cancelled";
inline constexpr char kTimeout[] = "Timeout";
inline constexpr char kStepFailed[] = "StepFailed";

// The end of a run.
inline constexpr char kSucceeded[] = "Succeeded";
inline constexpr char kFailed[] = "Failed";
inline constexpr char kInvalidOutput[] = "InvalidOutput";
inline constexpr char kStatusTooLarge[] = "StatusTooLarge";

// A step.
inline constexpr char kTaskDeleted[] = "TaskDeleted";
inline constexpr char kTaskRefused[] = "TaskRefused";
inline constexpr char kTaskTooLarge[] = "TaskTooLarge";
inline constexpr char kDependencyFailed[] = "DependencyFailed";
inline constexpr char kRunFailed[] = "RunFailed";
inline constexpr char kRunTimeout[] = "RunTimeout";
inline constexpr char kRunCancelled[] = "RunCancelled";

// Events only.
inline constexpr char kNameConflict[] = "NameConflict";
inline constexpr char kStatusRefused[] = "StatusRefused";

// The audit log only: why a run or a revision was deleted.
inline constexpr char kHistoryLimit[] = "HistoryLimit";
}  // namespace reason

namespace annotation {
// On a Task whose `spec.suspend` was set because its run was suspended: only these are resumed with the run.
inline constexpr char kSuspendedByRun[] = "convoke.dev/suspended-by-run";
}  // namespace annotation

}  // namespace convoke::workflow
