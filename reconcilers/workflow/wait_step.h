// A step that waits: for some time, until a condition holds, or for an event. Pure.
#pragma once

#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {

// A condition that gives a bool is looked at again this often; one that gives a time is waited for exactly.
inline constexpr Duration kPollInterval = std::chrono::seconds(5);

void start_wait(Plan& plan, std::size_t step);
// The plan's scope has the steps that the definition names.
void advance_wait(Plan& plan, std::size_t step);

// The annotation of the run in which the step's event is delivered: "event.convoke.dev/<step>", and when the
// step waits once more ("-2", the second visit of a state; "-r1", a round of retryFrom) one of its own, so
// that an old event is not taken for a new one.
std::string event_annotation(const api::StepStatus& row);

// The event that the step waited for; null for other waits.
Json wait_outputs(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step);

}  // namespace convoke::workflow
