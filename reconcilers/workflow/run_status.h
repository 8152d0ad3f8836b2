// The status of a run, put together: counts, progress, conditions, and its size. Pure.
#pragma once

#include <string>

#include "reconcilers/workflow/run_outcome.h"

namespace convoke::workflow {

// With it the object of a run whose definition is a Workflow's stays below 256 KiB.
inline constexpr std::size_t kMaxStatusBytes = 248 * 1024;

// The status of a run on its way: Running, Suspended or Compensating. `cause` is why it is being ended, if it
// is. Takes the plan's rows.
api::WorkflowRunStatus running_status(Plan& plan, StopCause cause, bool compensating);
// The last status. Takes the plan's rows.
api::WorkflowRunStatus final_status(Plan& plan, Outcome outcome);

// A run that never started and never will: Failed, with nothing else.
api::WorkflowRunStatus refused_status(const api::WorkflowRun& run, const std::string& reason,
                                      const std::string& message, WallTime now);
// A run that was cancelled before it started.
api::WorkflowRunStatus cancelled_status(const api::WorkflowRun& run, WallTime now);
// A live run that was cancelled when its definition was gone, and whose children have all ended: `why` it is
// gone.
api::WorkflowRunStatus abandoned_status(const api::WorkflowRun& run, const api::WorkflowRunStatus& last,
                                        const std::string& why, WallTime now);
// A run that cannot go on now: Pending (or as far as it got). `stalled`: a person must change something.
api::WorkflowRunStatus waiting_status(const api::WorkflowRun& run, const api::WorkflowRunStatus& last,
                                      const std::string& reason, const std::string& message, bool stalled,
                                      WallTime now);
// A run that is suspended before it started.
api::WorkflowRunStatus suspended_status(const api::WorkflowRun& run, WallTime now);

// The status of a run that ended, once its spec was edited: nothing comes of that but that it was seen.
api::WorkflowRunStatus edited_status(const api::WorkflowRun& run);

// Makes the status fit kMaxStatusBytes by dropping, as far as needed, of rows that have ended the names of
// their Tasks and when they started, then all rows' messages. False if it still does not.
bool fit_status(const api::WorkflowRun& run, api::WorkflowRunStatus& status);
// The end of a run whose status does not fit: Failed with reason StatusTooLarge, and only as much as fits.
api::WorkflowRunStatus too_large_status(const RunSnapshot& snapshot, const api::WorkflowRunStatus& wanted);

}  // namespace convoke::workflow
