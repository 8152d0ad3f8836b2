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
inline constexpr char kRetrying[] = "Retrying";
inline constexpr char kRejected[] = "Rejected";
// Live.
inline constexpr char kAssigned[] = "Assigned";
inline constexpr char kRunning[] = "Running";
// How an attempt, or the whole Task, ended.
inline constexpr char kSucceeded[] = "Succeeded";
inline constexpr char kFailed[] = "Failed";
inline constexpr char kTimeout[] = "Timeout";
inline constexpr char kAgentLost[] = "AgentLost";
inline constexpr char kOutputTooLarge[] = "OutputTooLarge";
inline constexpr char kDeadlineExceeded[] = "DeadlineExceeded";
inline constexpr char kCancelled[] = "Cancelled";
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
}  // namespace action

inline constexpr char kCapabilityMatch[] = "CapabilityMatch";

}  // namespace convoke::task
