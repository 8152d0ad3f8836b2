// A step with forEach: one child for each item, some at a time. The row keeps the phase of each item
// (item_phases.h); what the items gave stays in the children. Pure.
#pragma once

#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {

// Counts the items and starts the first ones. The plan's scope has the steps that the definition names.
void start_fan_out(Plan& plan, std::size_t step);
// Starts more items as others end. When one fails, unless the run's onFailure is Continue, no more are
// started and those that run are cancelled.
void advance_fan_out(Plan& plan, std::size_t step);
void halt_fan_out(Plan& plan, std::size_t step, const Halt& halt);

}  // namespace convoke::workflow
