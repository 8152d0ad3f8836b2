// A step with forEach and repeat: each item is repeated on its own until its `until` holds. `until` sees the
// item, `index`, `iteration`, and as steps.<itself> what the item's latest iteration gave. Pure.
#pragma once

#include <vector>

#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {

// Ends the items whose iteration has succeeded and was the last one. Returns those that are to go on. Does
// nothing for a step without repeat.
std::vector<std::size_t> judge_iterations(Plan& plan, std::size_t step, ItemPhases& items);

// Starts the next iteration of each of these, once its delay is over and there is room; those that still wait
// are left in `again`. False: one cannot be started at all; it has failed, and the row says why.
bool start_iterations(Plan& plan, std::size_t step, std::vector<std::size_t>& again, ItemPhases& items);

// Writes into the row how the items are, and which iterations run.
void record_items(Plan& plan, std::size_t step, const ItemPhases& items);

}  // namespace convoke::workflow
