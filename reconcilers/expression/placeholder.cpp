#include "reconcilers/expression/placeholder.h"

#include <utility>

namespace convoke::expression {
namespace {

constexpr std::size_t kMaxPlaceholderBytes = 1024;
constexpr std::size_t kMaxPathElements = 32;
constexpr std::size_t kMaxIndexDigits = 6;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_part(char c) {
  return is_name_start(c) || is_digit(c);
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Reads one path, from the byte after "$(" up to and including ")".
class PathParser {
 public:
  PathParser(std::string_view text, std::size_t start) : text_(text), start_(start), at_(start) {}

  Result<Reference> parse() {
    skip_space();
    if (at_end()) {
      return unclosed();
    }
    if (auto name = read_name(); !name) {
      return name.error();
    }
    while (true) {
      skip_space();
      if (at_end()) {
        return unclosed();
      }
      if (peek() == ')') {
        reference_.text = trimmed(text_.substr(start_, at_ - start_));
        ++at_;
        return std::move(reference_);
      }
      if (auto element = read_element(); !element) {
        return element.error();
      }
    }
  }

  std::size_t position() const { return at_; }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }

  void skip_space() {
    while (!at_end() && is_space(peek())) {
      ++at_;
    }
  }

  static std::string trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.back())) {
      text.remove_suffix(1);
    }
    while (!text.empty() && is_space(text.front())) {
      text.remove_prefix(1);
    }
    return std::string(text);
  }

  Error error(const std::string& what) const {
    return Error{ErrorCode::Invalid, "at byte " + std::to_string(at_) + ": " + what, "InvalidTemplate"};
  }

  Error unclosed() const {
    return error("the placeholder that starts with \"$(\" is not closed; write \"$$(\" for a literal \"$(\"");
  }

  Status add(std::string element) {
    if (reference_.path.size() >= kMaxPathElements) {
      return error("a path has at most " + std::to_string(kMaxPathElements) + " elements");
    }
    if (at_ - start_ > kMaxPlaceholderBytes) {
      return error("a placeholder has at most " + std::to_string(kMaxPlaceholderBytes) + " bytes");
    }
    reference_.path.push_back(std::move(element));
    return {};
  }

  Status read_name() {
    if (at_end() || !is_name_start(peek())) {
      return error(
          "expected a name such as params or steps; write \"$$(\" for a literal \"$(\", as a shell needs it");
    }
    const auto begin = at_;
    while (!at_end() && is_name_part(peek())) {
      ++at_;
    }
    return add(std::string(text_.substr(begin, at_ - begin)));
  }

  Status read_element() {
    switch (peek()) {
      case '.':
        ++at_;
        skip_space();
        return read_name();
      case '[':
        ++at_;
        skip_space();
        return read_bracket();
      case '-':
        return error("a name with \"-\" stands in brackets: steps['unit-test']");
      default:
        return error(
            "expected \".\", \"[\" or \")\": expressions are not supported here; write \"$$(\" for a "
            "literal \"$(\"");
    }
  }

  Status read_bracket() {
    if (at_end()) {
      return unclosed();
    }
    const char first = peek();
    if (first == '\'' || first == '"') {
      if (auto key = read_quoted(first); !key) {
        return key;
      }
    } else if (is_digit(first)) {
      if (auto index = read_index(); !index) {
        return index;
      }
    } else {
      return error("expected a quoted name or a number inside [ ]");
    }
    skip_space();
    if (at_end() || peek() != ']') {
      return error("expected \"]\"");
    }
    ++at_;
    return {};
  }

  Status read_quoted(char quote) {
    const auto begin = ++at_;
    while (!at_end() && peek() != quote) {
      if (peek() == '\\') {
        return error("a quoted name cannot hold a backslash");
      }
      ++at_;
    }
    if (at_end()) {
      return error("the quoted name is not closed");
    }
    auto key = std::string(text_.substr(begin, at_ - begin));
    ++at_;
    return add(std::move(key));
  }

  Status read_index() {
    const auto begin = at_;
    while (!at_end() && is_digit(peek())) {
      ++at_;
    }
    if (at_ - begin > kMaxIndexDigits) {
      return error("the index is too large");
    }
    return add(std::to_string(std::stoul(std::string(text_.substr(begin, at_ - begin)))));
  }

  std::string_view text_;
  std::size_t start_;
  std::size_t at_;
  Reference reference_;
};

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
    PathParser parser(text, found + 2);
    auto reference = parser.parse();
    if (!reference) {
      return reference.error();
    }
    if (!literal.empty()) {
      segments.push_back({std::exchange(literal, {}), std::nullopt});
    }
    segments.push_back({{}, std::move(*reference)});
    at = parser.position();
  }
  literal += text.substr(at);
  if (!literal.empty()) {
    segments.push_back({std::move(literal), std::nullopt});
  }
  return segments;
}

}  // namespace convoke::expression
