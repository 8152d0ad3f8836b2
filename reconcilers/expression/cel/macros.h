// Which calls are macros: they look like functions, but bind variables or evaluate their arguments lazily.
// Internal.
#pragma once

#include <string>

#include "reconcilers/expression/cel/node.h"

namespace convoke::cel {

// What became of a call: not a macro (untouched), a macro (the call was changed into one), or a misuse.
struct MacroResult {
  bool is_macro = false;
  std::string problem;  // not empty: the arguments do not fit
  std::uint32_t problem_offset = 0;
};

// `call` is a node of kind Call with its receiver, if any, as first child.
MacroResult expand_macro(Node& call);

}  // namespace convoke::cel
