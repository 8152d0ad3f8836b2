// The rows of a run's status: what is known of each step before anything is decided. Pure.
#pragma once

#include <string>
#include <vector>

#include "reconcilers/workflow/run_decide.h"

namespace convoke::workflow {

using Rows = std::vector<api::StepStatus>;

// One row for each step of the definition, in its order: the recorded row, brought up to date by the step's
// Task. A row that ended stays as it is, for its Task may be gone. Rows that are missing (a status wiped by
// hand) are made again from the Tasks.
Rows observe_rows(const RunSnapshot& snapshot);

// Ends a row; the message is cut to 256 bytes.
void end_row(api::StepStatus& row, api::StepPhase phase, const std::string& reason,
             const std::string& message, const std::string& now);

// Marks a row as started by the Task of that name.
void start_row(api::StepStatus& row, const std::string& task_name, const std::string& started_at);

// True if dependents of the step may start: it succeeded, or it is optional and ran to whatever end.
bool lets_dependents_start(const api::Step& step, const api::StepStatus& row);
// True if this row makes the run fail.
bool fails_run(const api::Step& step, const api::StepStatus& row);
bool all_ended(const Rows& rows);

}  // namespace convoke::workflow
