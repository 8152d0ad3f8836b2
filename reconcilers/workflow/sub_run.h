// The run that a step with `workflow` becomes: its time, and its further rounds. Pure.
//
// When the run fails and the step has `retry`, the run is asked to go on with what failed, in a round of its
// own (retry_round.h), after the policy's wait. How many rounds there were is in the run itself, so none is
// counted twice, whoever asks for it.
#pragma once

#include <optional>

#include "reconcilers/workflow/run_plan.h"

namespace convoke::workflow {

// When the step's time is over: it counts from the start of the run and covers all its rounds.
std::optional<WallTime> end_of_time(const api::Step& step, const Child& child);

// Whether the run failed and is to have one more round: then its step has not ended. Never true of a run that
// was cancelled, or of which something was undone.
bool is_to_go_on(const api::Step& step, const Child& child);

// Asks for the round, or to be woken when it is due.
void go_on(Plan& plan, std::size_t step, const Child& child);

// Cancels a run whose time is over; true then. Else asks to be woken when it is.
bool limit_time(Plan& plan, std::size_t step, const Child& child);

}  // namespace convoke::workflow
