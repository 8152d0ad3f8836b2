// Which iteration each item that runs is in, as the row of a step with forEach and repeat keeps it:
// "3:2,17:5" for item 3 in its second iteration and item 17 in its fifth. What has ended, and what is in its
// first, is not in it.
//
// It is there so that the loss of a Task is noticed: without it, the iteration before would look like the
// latest one, and what was lost would be done again. A plain value.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace convoke::workflow {

// Iterations by item.
using ItemIterations = std::map<int, int>;

// Text that is not of this form is read up to where it is.
ItemIterations parse_item_iterations(std::string_view text);
std::string to_text(const ItemIterations& iterations);

}  // namespace convoke::workflow
