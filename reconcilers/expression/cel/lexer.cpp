#include "reconcilers/expression/cel/lexer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/source.h"
#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_part(char c) {
  return is_name_start(c) || is_digit(c);
}

// Longer ones first.
constexpr std::array<std::string_view, 24> kOperators = {"==", "!=", "<=", ">=", "&&", "||", "[", "]",
                                                         "{",  "}",  "(",  ")",  ".",  ",",  "-", "!",
                                                         "?",  ":",  "+",  "*",  "/",  "%",  "<", ">"};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> run() {
    while (skip_blank()) {
      start_ = at_;
      if (auto status = read_token(); !status) {
        return status.error();
      }
    }
    start_ = at_;
    add(TokenKind::End, "");
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  std::string_view rest() const { return source_.substr(at_); }

  Error error(std::size_t offset, const std::string& what) const {
    return error_at(source_, offset, what, "InvalidExpression");
  }

  void add(TokenKind kind, std::string text, Value value = {}) {
    tokens_.push_back({kind, static_cast<std::uint32_t>(start_), std::move(text), std::move(value)});
  }

  // False at the end of the source.
  bool skip_blank() {
    while (at_ < source_.size()) {
      const char c = peek();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        ++at_;
      } else if (c == '/' && peek(1) == '/') {
        at_ = std::min(source_.find('\n', at_), source_.size());
      } else {
        return true;
      }
    }
    return false;
  }

  Status read_token() {
    const char c = peek();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      return read_number();
    }
    if (const auto prefix = literal_prefix()) {
      return read_text(prefix->first, prefix->second);
    }
    if (is_name_start(c)) {
      while (is_name_part(peek())) {
        ++at_;
      }
      add(TokenKind::Identifier, std::string(source_.substr(start_, at_ - start_)));
      return {};
    }
    if (c == '`') {
      return read_quoted_identifier();
    }
    for (const auto text : kOperators) {
      if (rest().substr(0, text.size()) == text) {
        at_ += text.size();
        add(TokenKind::Operator, std::string(text));
        return {};
      }
    }
    return error(
        at_, "no expression has \"" + std::string(rest().substr(0, code_point_bytes(rest()))) + "\" here");
  }

  // r, b, br before a quote: whether it is raw, whether it is bytes. Skips the letters.
  std::optional<std::pair<bool, bool>> literal_prefix() {
    std::size_t length = 0;
    const bool is_bytes = peek(length) == 'b' || peek(length) == 'B';
    length += is_bytes ? 1 : 0;
    const bool is_raw = peek(length) == 'r' || peek(length) == 'R';
    length += is_raw ? 1 : 0;
    if (peek(length) != '\'' && peek(length) != '"') {
      return std::nullopt;
    }
    at_ += length;
    return std::pair(is_raw, is_bytes);
  }

  Status read_number() {
    const bool is_hex = peek() == '0' && (peek(1) == 'x' || peek(1) == 'X');
    bool is_double = false;
    if (is_hex) {
      at_ += 2;
      skip_while(is_hex_digit);
    } else {
      skip_while(is_digit);
      if (peek() == '.' && is_digit(peek(1))) {
        is_double = true;
        ++at_;
        skip_while(is_digit);
      }
      is_double = skip_exponent() || is_double;
    }
    const std::string text(source_.substr(start_, at_ - start_));
    if (is_double) {
      return add_double(text);
    }
    if (peek() == 'u' || peek() == 'U') {
      ++at_;
      const auto value = is_hex ? parse_uint(text.substr(2), 16) : parse_uint(text);
      if (!value) {
        return error(start_, "an unsigned integer is at most 18446744073709551615");
      }
      add(TokenKind::Literal, text, Value::from_uint(*value));
    } else {
      add(TokenKind::IntegerLiteral, text);
    }
    return end_of_number();
  }

  void skip_while(bool (*matches)(char)) {
    while (matches(peek())) {
      ++at_;
    }
  }

  bool skip_exponent() {
    if (peek() != 'e' && peek() != 'E') {
      return false;
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (!is_digit(peek(1 + sign))) {
      return false;
    }
    at_ += 1 + sign;
    skip_while(is_digit);
    return true;
  }

  Status add_double(const std::string& text) {
    const auto value = parse_double(text);
    if (!value) {
      return error(start_, "the number is beyond the range of a double");
    }
    add(TokenKind::Literal, text, Value::from_double(*value));
    return end_of_number();
  }

  Status end_of_number() const {
    return is_name_part(peek())
               ? Status(error(at_, "a number ends before \"" + std::string(1, peek()) + "\""))
               : Status();
  }

  Status read_quoted_identifier() {
    ++at_;
    const auto end = source_.find('`', at_);
    const auto name = source_.substr(at_, end == std::string_view::npos ? 0 : end - at_);
    for (const char c : name) {
      if (!is_name_part(c) && c != '.' && c != '-' && c != '/' && c != ' ') {
        return error(start_, "a name in ` ` holds letters, digits, \"_\", \".\", \"-\", \"/\" and spaces");
      }
    }
    if (name.empty()) {
      return error(start_, "the name in ` ` is empty or is not closed");
    }
    at_ = end + 1;
    add(TokenKind::QuotedIdentifier, std::string(name));
    return {};
  }

  Status read_text(bool is_raw, bool is_bytes) {
    const std::string quote(rest().substr(0, 3) == std::string(3, peek()) ? 3 : 1, peek());
    at_ += quote.size();
    std::string text;
    while (rest().substr(0, quote.size()) != quote) {
      const char c = peek();
      if (at_ >= source_.size() || (quote.size() == 1 && (c == '\n' || c == '\r'))) {
        return error(start_, "the text that starts here is not closed with " + quote);
      }
      if (c == '\\' && !is_raw) {
        if (auto status = read_escape(text, is_bytes); !status) {
          return status;
        }
        continue;
      }
      text += c;
      ++at_;
    }
    at_ += quote.size();
    if (!is_bytes && !is_utf8(text)) {
      return error(start_, "the text is not UTF-8");
    }
    add(TokenKind::Literal, "",
        is_bytes ? Value::from_bytes(std::move(text)) : Value::from_string(std::move(text)));
    return {};
  }

  Status read_escape(std::string& text, bool is_bytes) {
    static constexpr std::string_view kLetters = "abfnrtv\\'\"`?";
    static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"`?";
    const std::size_t begin = at_;
    const char letter = peek(1);
    at_ += 2;
    if (const auto known = kLetters.find(letter); known != std::string_view::npos && letter != '\0') {
      text += kMeanings[known];
      return {};
    }
    std::size_t digits = 0;
    int base = 16;
    if (letter == 'x' || letter == 'X') {
      digits = 2;
    } else if (letter == 'u' && !is_bytes) {
      digits = 4;
    } else if (letter == 'U' && !is_bytes) {
      digits = 8;
    } else if (letter >= '0' && letter <= '3') {
      digits = 3;
      base = 8;
      --at_;
    }
    const auto code =
        digits == 0 || rest().size() < digits ? std::nullopt : parse_uint(rest().substr(0, digits), base);
    if (!code || (!is_bytes && !is_unicode_scalar(static_cast<std::uint32_t>(*code)))) {
      return error(
          begin, "there is no such escape: use \\n, \\t, \\\\, \\', \\\", \\x41, \\101, or in text \\u0041");
    }
    at_ += digits;
    if (is_bytes) {
      text += static_cast<char>(static_cast<unsigned char>(*code));
    } else {
      append_code_point(text, static_cast<char32_t>(*code));
    }
    return {};
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace convoke::cel
