// What a step has come to, as expressions see it: steps.<name>.{phase, outputs, reason, message}. Pure.
#pragma once

#include "reconcilers/workflow/run_rows.h"

namespace convoke::workflow {

// The object in that text; an empty one if it is none.
Json object_of(const api::RawJson& text);

// `outputs` is there once the step has succeeded: what its Task or run gave; of a fan-out, the list of what
// the items gave, in their order; of an approval, {approvedBy, comments}; of a wait for an event, the event.
Json step_result(const RunSnapshot& snapshot, const Rows& rows, std::size_t step);

// What the item of a fan-out gave: that of the latest round in which it ran.
const Child& item_child(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step, int item);

}  // namespace convoke::workflow
