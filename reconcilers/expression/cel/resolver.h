// Gives names their meaning: variables of macros get slots, calls their functions, and the free variables are
// listed. Internal to this folder.
#pragma once

#include <string_view>
#include <vector>

#include "controller/base/result.h"
#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/node.h"

namespace convoke::cel {

struct Resolution {
  std::size_t slots = 0;
  std::vector<Reference> references;
};

// Completes the tree. Errors: Invalid, reason "InvalidExpression": a function that does not exist, a literal
// regular expression that is none.
Result<Resolution> resolve(Node& root, std::string_view source, const Options& options);

}  // namespace convoke::cel
