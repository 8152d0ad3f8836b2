// Every reason of a Task's status, conditions, attempts and Events, and the actions of its Events. They are
// part of the API: people write alerts and `kubectl wait` lines against them.
#pragma once

namespace convoke::task {

namespace reason {
// Waiting.
inline constexpr char kInvalidSpec[] = "InvalidSpec";
inline constexpr char kSuspended[] = "Suspended";
inline constexpr char kQueued[] = "Queued";
inline constexpr char kNoEligibleAgent[] = "NoEligibleAgent";
inline constexpr char kAgentsBusy[] = "AgentsBusy";
inline constexpr char kWaitingForLock[] = "WaitingForLock";
inline constexpr char kRetrying[] = "Retrying";
inline constexpr char kRejected[] = "Rejected";
inline constexpr char kRebalanced[] = "Rebalanced";
inline constexpr char kNotBefore[] = "NotBefore";
inline constexpr char kDuplicateOf[] = "DuplicateOf";
inline constexpr char kDelegated[] = "Delegated";
// Live.
inline constexpr char kAssigned[] = "Assigned";
inline constexpr char kRunning[] = "Running";
// How an attempt, or the whole Task, ended.
inline constexpr char kSucceeded[] = "Succeeded";
inline constexpr char kFailed[] = "Failed";
inline constexpr char kTimeout[] = "Timeout";
inline constexpr char kAgentLost[] = "AgentLost";
inline constexpr char kNotStarted[] = "NotStarted";
inline constexpr char kCordoned[] = "Cordoned";
inline constexpr char kLockLost[] = "LockLost";
inline constexpr char kOutputTooLarge[] = "OutputTooLarge";
inline constexpr char kOutcomeUnknown[] = "OutcomeUnknown";
inline constexpr char kDeadlineExceeded[] = "DeadlineExceeded";
inline constexpr char kCancelled[] = "Cancelled";
// Of a Task with subtasks, and of their rows in its status.
inline constexpr char kSubtaskNotCreated[] = "SubtaskNotCreated";
inline constexpr char kSubtasksFailed[] = "SubtasksFailed";
inline constexpr char kSubtaskDeleted[] = "SubtaskDeleted";
// Events only.
inline constexpr char kLockBroken[] = "LockBroken";    // a person broke it
inline constexpr char kLockExpired[] = "LockExpired";  // a holder that is no Task did not renew it
inline constexpr char kDelegationLimit[] = "DelegationLimit";
// The audit log only: why a Task was deleted.
inline constexpr char kTtlAfterFinished[] = "TtlAfterFinished";
}  // namespace reason

namespace action {
inline constexpr char kAssign[] = "Assign";
inline constexpr char kFinish[] = "Finish";
inline constexpr char kRetry[] = "Retry";
inline constexpr char kQueue[] = "Queue";
inline constexpr char kValidate[] = "Validate";
inline constexpr char kCancel[] = "Cancel";
inline constexpr char kFree[] = "Free";
inline constexpr char kTakeBack[] = "TakeBack";
inline constexpr char kDelegate[] = "Delegate";
}  // namespace action

namespace annotation {
// On a subtask whose `spec.suspend` was set because its Task was suspended: only these are resumed with it.
inline constexpr char kSuspendedByParent[] = "convoke.dev/suspended-by-parent";
}  // namespace annotation

}  // namespace convoke::task
