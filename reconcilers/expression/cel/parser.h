// From tokens to the syntax tree, macros included. Internal to this folder.
#pragma once

#include <string_view>

#include "controller/base/result.h"
#include "reconcilers/expression/cel/node.h"

namespace convoke::cel {

// Errors: Invalid, reason "InvalidExpression", with the position; also for a tree deeper than kMaxTreeDepth.
Result<NodePtr> parse(std::string_view source);

}  // namespace convoke::cel
