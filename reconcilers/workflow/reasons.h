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

// A run that can never start: it has approvals, and does not say who may not give them.
inline constexpr char kCreatorUnknown[] = "CreatorUnknown";

// A Workflow.
inline constexpr char kAccepted[] = "Accepted";
inline constexpr char kSuspended[] = "Suspended";
inline constexpr char kRunCreated[] = "RunCreated";
inline constexpr char kScheduleMissed[] = "ScheduleMissed";
inline constexpr char kScheduleSkipped[] = "ScheduleSkipped";
inline constexpr char kTriggerFailed[] = "TriggerFailed";
inline constexpr char kEventNotUsable[] = "EventNotUsable";

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
inline constexpr char kCompensationFailed[] = "CompensationFailed";

// A step.
inline constexpr char kTaskDeleted[] = "TaskDeleted";
inline constexpr char kTaskRefused[] = "TaskRefused";
inline constexpr char kTaskTooLarge[] = "TaskTooLarge";
inline constexpr char kDependencyFailed[] = "DependencyFailed";
inline constexpr char kRunFailed[] = "RunFailed";
inline constexpr char kRunTimeout[] = "RunTimeout";
inline constexpr char kRunCancelled[] = "RunCancelled";
inline constexpr char kConditionFalse[] = "ConditionFalse";  // its `when` did not hold
inline constexpr char kOutcomeNotMet[] = "OutcomeNotMet";    // a dependency ended otherwise than asked for
inline constexpr char kNotReached[] = "NotReached";          // a state that no transition led to
inline constexpr char kItemsFailed[] = "ItemsFailed";
inline constexpr char kItemsChanged[] = "ItemsChanged";
inline constexpr char kTooManyItems[] = "TooManyItems";
inline constexpr char kWrongType[] = "WrongType";
inline constexpr char kMaxIterations[] = "MaxIterations";
inline constexpr char kRetrying[] = "Retrying";
inline constexpr char kTransitionTaken[] = "TransitionTaken";
inline constexpr char kMaxTransitions[] = "MaxTransitions";
inline constexpr char kWaiting[] = "Waiting";
inline constexpr char kRepeating[] = "Repeating";
inline constexpr char kWaitingForEvent[] = "WaitingForEvent";
inline constexpr char kWaitingForApproval[] = "WaitingForApproval";
inline constexpr char kApproved[] = "Approved";
inline constexpr char kRejected[] = "Rejected";
inline constexpr char kApprovalTimeout[] = "ApprovalTimeout";
inline constexpr char kRecursion[] = "Recursion";

// A run and its steps while they are undone.
inline constexpr char kCompensating[] = "Compensating";
inline constexpr char kCompensated[] = "Compensated";

// Events only.
inline constexpr char kStepsChanged[] = "StepsChanged";
inline constexpr char kRetried[] = "Retried";
inline constexpr char kRetryRefused[] = "RetryRefused";
inline constexpr char kNameConflict[] = "NameConflict";
inline constexpr char kStatusRefused[] = "StatusRefused";

// The audit log only: why a run or a revision was deleted.
inline constexpr char kHistoryLimit[] = "HistoryLimit";
inline constexpr char kTtlAfterFinished[] = "TtlAfterFinished";
}  // namespace reason

namespace annotation {
// On a Task whose `spec.suspend` was set because its run was suspended: only these are resumed with the run.
inline constexpr char kSuspendedByRun[] = "convoke.dev/suspended-by-run";
// On a run that a schedule started: the time that it was started for.
inline constexpr char kScheduledAt[] = "convoke.dev/scheduled-at";
// On a run that an event started: event_key() of it.
inline constexpr char kEventKey[] = "convoke.dev/event-key";
// On a run that is a step of another: the names of the Workflows that led to it and its own, with "/"
// between.
inline constexpr char kWorkflowPath[] = "convoke.dev/workflow-path";
// On a run that is a step of another: the ControllerRevision that the other one executes.
inline constexpr char kParentRevision[] = "convoke.dev/parent-revision";
// On a run, with the name of a step behind it: the event (JSON) that this step waited for.
inline constexpr char kEventPrefix[] = "event.convoke.dev/";
}  // namespace annotation

}  // namespace convoke::workflow
