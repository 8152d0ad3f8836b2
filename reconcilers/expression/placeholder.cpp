#include "reconcilers/expression/placeholder.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace convoke::expression {
namespace {

bool is_name_part(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  return text;
}

// Finds the ")" that closes a placeholder: the first one that is outside of all brackets, quotes and comments
// of the expression.
class EndFinder {
 public:
  EndFinder(std::string_view text, std::size_t start) : text_(text), at_(start) {}

  std::optional<std::size_t> find() {
    int open = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ')' && open == 0) {
        return at_;
      }
      open += c == '(' ? 1 : c == ')' ? -1 : 0;
      skip_one(c);
    }
    return std::nullopt;
  }

 private:
  void skip_one(char c) {
    if (is_name_part(c)) {
      skip_word();
    } else if (c == '\'' || c == '"') {
      skip_quoted(false);
    } else if (c == '`') {
      skip_to("`", 1);
    } else if (text_.substr(at_, 2) == "//") {
      skip_to("\n", 2);
    } else {
      ++at_;
    }
  }

  // A word directly before a quote, such as r or b, says what a backslash means inside.
  void skip_word() {
    bool is_raw = false;
    while (at_ < text_.size() && is_name_part(text_[at_])) {
      is_raw = text_[at_] == 'r' || text_[at_] == 'R';
      ++at_;
    }
    if (is_raw && at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) {
      skip_quoted(true);
    }
  }

  void skip_quoted(bool is_raw) {
    const std::string triple(3, text_[at_]);
    const auto quote = std::string_view(triple).substr(0, text_.substr(at_, 3) == triple ? 3 : 1);
    at_ += quote.size();
    while (at_ < text_.size() && text_.substr(at_, quote.size()) != quote) {
      at_ += text_[at_] == '\\' && !is_raw ? 2 : 1;
    }
    at_ = std::min(at_ + quote.size(), text_.size());
  }

  void skip_to(std::string_view end, std::size_t from) {
    const auto found = text_.find(end, at_ + from);
    at_ = found == std::string_view::npos ? text_.size() : found + end.size();
  }

  std::string_view text_;
  std::size_t at_;
};

Error invalid(std::size_t at, const std::string& what) {
  return Error{ErrorCode::Invalid, "at byte " + std::to_string(at) + ": " + what, "InvalidTemplate"};
}

constexpr const char* kHint = "write \"$$(\" for a literal \"$(\", as a shell needs it";

}  // namespace

bool has_placeholder(std::string_view text) {
  return text.find("$(") != std::string_view::npos;
}

Result<std::vector<Segment>> parse_template(std::string_view text) {
  std::vector<Segment> segments;
  std::string literal;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto found = text.find("$(", at);
    if (found == std::string_view::npos) {
      break;
    }
    literal += text.substr(at, found - at);
    if (found > at && text[found - 1] == '$') {
      literal += '(';  // "$$(": the first "$" is already there, the second only escaped
      at = found + 2;
      continue;
    }
    const auto end = EndFinder(text, found + 2).find();
    if (!end) {
      return invalid(found + 2,
                     std::string("the placeholder that starts with \"$(\" is not closed; ") + kHint);
    }
    auto program = cel::Program::compile(std::string(trimmed(text.substr(found + 2, *end - found - 2))));
    if (!program) {
      return invalid(found + 2, "in this placeholder, " + program.error().message + "\n" + kHint);
    }
    if (!literal.empty()) {
      segments.push_back({std::exchange(literal, {}), nullptr});
    }
    segments.push_back({{}, std::move(*program)});
    at = *end + 1;
  }
  literal += text.substr(at);
  if (!literal.empty()) {
    segments.push_back({std::move(literal), nullptr});
  }
  return segments;
}

}  // namespace convoke::expression
