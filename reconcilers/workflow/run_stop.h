// Ending a run before its steps are done: because it was cancelled, its time is up, or a step failed. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/workflow/run_plan.h"

namespace convoke::workflow {

enum class StopCause { None, Cancelled, Timeout, StepFailed };

// The reason in the run's status while it is being ended, and after; empty for None.
const char* reason_of(StopCause cause);

// A cause that was recorded stays the cause. Otherwise, in this order: the run was cancelled, its time is up,
// a step failed and onFailure is not Continue. A run whose steps have all ended by themselves is not stopped
// any more.
StopCause find_stop(const Plan& plan);

// True when the steps are over and what is left is to undo them, or `finally`. No new cause counts then.
bool is_cleaning_up(const Plan& plan);

// True if a step of the workflow (not of finally) failed.
bool any_step_failed(const Plan& plan);

// Whether what succeeded is to be undone, once the run ends for that cause.
bool is_to_be_undone(const RunSnapshot& snapshot, StopCause cause);

// What people read, for any cause but None: "cancelled: wrong version", "timed out after 1h".
std::string describe_stop(const RunSnapshot& snapshot, const Rows& rows, StopCause cause);

// Ends the steps that never started, halts those that run, and cancels their children.
void halt_steps(Plan& plan, StopCause cause);
// The same for `finally`, whose time is up, or which was cancelled with force.
void halt_finally(Plan& plan);

// Cancels children of steps that have ended without having one: a former leader, not knowing that the run was
// being ended, may have made them late.
void cancel_strays(Plan& plan);

// Suspends Tasks that no agent has yet and runs while the run is suspended, and resumes those that it
// suspended otherwise.
void suspend_or_resume(Plan& plan);
// Of a run that is being ended: the runs below have an end of their own to come to, which nothing may hold.
void resume_runs(Plan& plan);
// Nothing: the child is no run that this one suspended, or is to stay so.
std::optional<ChildPatch> resume_patch(const api::WorkflowRun& run, const Child& child);

// Unless the definition says: an hour, and what its approvals and waits may take.
Duration run_timeout(const Definition& definition);
// When the run's time is up.
WallTime run_deadline(const RunSnapshot& snapshot);
// True if the run was cancelled, and `finally` with it.
bool is_forced(const api::WorkflowRun& run);

// When the time of finally is up: it has as much as the steps had, from its first start on. Nothing: none of
// it has started.
std::optional<WallTime> finally_deadline(const Plan& plan);

// `step "build"`, `steps "build", "test" and 3 more`: those whose row fails the run.
std::string name_failed_steps(const Definition& definition, const Rows& rows);

}  // namespace convoke::workflow
