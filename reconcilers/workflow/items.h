// The items of a step with forEach: what they are, and how the child of one is started. Pure.
#pragma once

#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {

// The items in the order of their numbers: of a list its elements, of a map {key, value} by key, of a range
// its numbers. The plan's scope has the steps that the definition names. Error Invalid: they are none of
// these, or too many.
Result<Json> expand_items(Plan& plan, std::size_t step);

// The items once more, with the plan's scope made ready. Error Invalid: there are not as many as there were.
Result<Json> same_items(Plan& plan, std::size_t step, std::size_t count);

// What expressions may name of an item: the item itself, `index` and `iteration`.
void set_item(Plan& plan, const ChildKey& key, const Json& value);

// Starts the child of that key, after same_items(). False: it cannot be made; the row says why.
bool start_item(Plan& plan, const ChildKey& key, const Json& value);

}  // namespace convoke::workflow
