// Positions in the text of an expression, and messages that show them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace convoke::cel {

struct Position {
  std::size_t line = 1;    // from 1
  std::size_t column = 1;  // from 1, in code points
};

Position position_of(std::string_view source, std::size_t offset);

// Error Invalid: "line 1, column 9: WHAT", then the line and a caret below the place. A long line is cut
// around it.
Error error_at(std::string_view source, std::size_t offset, const std::string& what,
               const std::string& reason);

}  // namespace convoke::cel
