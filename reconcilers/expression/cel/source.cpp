#include "reconcilers/expression/cel/source.h"

#include <algorithm>

#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

constexpr std::size_t kShownBefore = 60;
constexpr std::size_t kShownAfter = 40;

// Moves `at` back to the start of a code point.
std::size_t code_point_start(std::string_view text, std::size_t at) {
  while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) {
    --at;
  }
  return at;
}

}  // namespace

Position position_of(std::string_view source, std::size_t offset) {
  offset = std::min(offset, source.size());
  const auto before = source.substr(0, offset);
  const auto line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return {1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')),
          1 + count_code_points(before.substr(line_start))};
}

Error error_at(std::string_view source, std::size_t offset, const std::string& what,
               const std::string& reason) {
  offset = std::min(offset, source.size());
  const Position position = position_of(source, offset);
  const auto newline = source.rfind('\n', offset == 0 ? 0 : offset - 1);
  std::size_t begin = newline == std::string_view::npos || newline >= offset ? 0 : newline + 1;
  std::size_t end = std::min(source.find('\n', offset), source.size());
  if (offset - begin > kShownBefore) {
    begin = code_point_start(source, offset - kShownBefore);
  }
  if (end - offset > kShownAfter) {
    end = code_point_start(source, offset + kShownAfter);
  }
  std::string shown(source.substr(begin, end - begin));
  std::replace(shown.begin(), shown.end(), '\t', ' ');
  const std::string caret(count_code_points(source.substr(begin, offset - begin)), ' ');
  return Error{ErrorCode::Invalid,
               "line " + std::to_string(position.line) + ", column " + std::to_string(position.column) +
                   ": " + what + "\n | " + shown + "\n | " + caret + "^",
               reason};
}

}  // namespace convoke::cel
