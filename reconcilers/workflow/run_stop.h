// When a run must come to its end before all steps are done, and what that asks of its steps and Tasks. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/workflow/run_rows.h"

namespace convoke::workflow {

enum class StopCause { None, Cancelled, Timeout, StepFailed };

// The reason in the run's status while its Tasks are being ended, and after; empty for None.
const char* reason_of(StopCause cause);

// A cause that was recorded stays the cause. Otherwise, in this order: the run was cancelled, its time is up,
// a step failed under onFailure Abort. A run whose steps have all ended by themselves is not stopped any
// more.
StopCause find_stop(const RunSnapshot& snapshot, const Rows& rows);

// What people read, for any cause but None: "cancelled: wrong version", "timed out after 1h".
std::string describe_stop(const RunSnapshot& snapshot, const Rows& rows, StopCause cause);

// Ends the rows that never started.
void end_pending_rows(const RunSnapshot& snapshot, StopCause cause, Rows& rows);

// Sets spec.cancel on each Task that has not ended and does not have it yet.
std::vector<TaskPatch> cancel_tasks(const RunSnapshot& snapshot, const std::string& why);

// Suspends Tasks that no agent has yet while the run is suspended, and resumes those that it suspended
// otherwise.
std::vector<TaskPatch> suspend_or_resume_tasks(const RunSnapshot& snapshot);

Duration run_timeout(const Definition& definition);
// Until the run's time is up; not positive when it is.
Duration time_left(const RunSnapshot& snapshot);

// `step "build"`, `steps "build", "test" and 3 more`: those whose row fails the run.
std::string name_failed_steps(const Definition& definition, const Rows& rows);

}  // namespace convoke::workflow
