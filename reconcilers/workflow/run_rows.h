// The rows of a run's status: what is known of each step before anything is decided. Pure.
#pragma once

#include <string>
#include <vector>

#include "reconcilers/workflow/run_decide.h"

namespace convoke::workflow {

using Rows = std::vector<api::StepStatus>;

// One row for each step of the definition, in its order: the recorded row, brought up to date by the step's
// children. A row that ended stays as it is, for its children may be gone. Rows that are missing (a status
// wiped by hand) are made again from the children.
Rows observe_rows(const RunSnapshot& snapshot);

// Brings one row that has not ended up to date.
void observe_row(const RunSnapshot& snapshot, api::StepStatus& row, std::size_t step);

// Ends a row; the message is cut to 256 bytes.
void end_row(api::StepStatus& row, api::StepPhase phase, const std::string& reason,
             const std::string& message, const std::string& now);
// Ends a row as its child ended.
void end_row(api::StepStatus& row, const Child& child, const std::string& now);

// Says why a row that has not ended is where it is.
void explain_row(api::StepStatus& row, const std::string& reason, const std::string& message);

// Marks a row as started; by the child of that name, if it has one.
void start_row(api::StepStatus& row, const api::Step& step, const std::string& child,
               const std::string& started_at);

// The key of the child that a row's step, if it is no fan-out, has now or gets next.
ChildKey current_key(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step);

// The same of an item of a fan-out. One that is repeated has its latest iteration.
ChildKey item_key(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step, int item);

// True if the step succeeded, whatever was undone since.
bool has_outputs(const api::StepStatus& row);
// True if nothing that depends on the step is hindered: it succeeded, or its condition did not hold, or it is
// optional and ran to whatever end.
bool is_done(const api::Step& step, const api::StepStatus& row);
// True if this row makes the run fail. A failure that a state machine has left by a transition does not.
bool fails_run(const api::Step& step, const api::StepStatus& row);

bool main_ended(const RunSnapshot& snapshot, const Rows& rows);
bool all_ended(const Rows& rows);

}  // namespace convoke::workflow
