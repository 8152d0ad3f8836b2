#include "programs/kubectl-convoke/text_check.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "reconcilers/expression/cel/text.h"

namespace convoke::plugin {
namespace {

constexpr char32_t kByteOrderMark = 0xFEFF;

std::string hexadecimal(char32_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    text += kDigits[(value >> static_cast<unsigned>(shift)) & 0xFU];
  }
  return text;
}

// As YAML has it.
bool is_printable(char32_t code) {
  const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
  const bool allowed = code == '\t' || code == '\n' || code == '\r' || code == 0x85;
  return (!control || allowed) && code != 0xFFFE && code != 0xFFFF;
}

bool is_utf16(std::string_view text) {
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
}

// The number after "\\u" at that place; 0: there is none.
std::uint32_t escape_at(const std::string& text, std::size_t at) {
  constexpr std::size_t kBytes = 6;
  if (at + kBytes > text.size() || text.compare(at, 2, "\\u") != 0) return 0;
  std::uint32_t code = 0;
  const char* end = text.data() + at + kBytes;
  const auto [stopped, error] = std::from_chars(text.data() + at + 2, end, code, 16);
  return error == std::errc() && stopped == end ? code : 0;
}

std::string described(std::string_view rest, std::size_t bytes) {
  const auto code = cel::code_point(rest);
  const auto byte = static_cast<unsigned char>(rest.front());
  if (bytes == 1 && byte >= 0x80) return "the byte 0x" + hexadecimal(byte, 2) + " is not UTF-8";
  if (!is_printable(code)) {
    return "a control character (U+" + hexadecimal(code, 4) +
           ") is not allowed; write it as an escape in double quotes";
  }
  return "";
}

}  // namespace

std::optional<TextProblem> find_text_problem(const std::string& text) {
  if (is_utf16(text)) return TextProblem{1, 1, "this is UTF-16: save it as UTF-8"};
  TextProblem place;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto bytes = cel::code_point_bytes(rest);
    place.message = described(rest, bytes);
    if (!place.message.empty()) return place;
    if (rest.front() == '\n') {
      ++place.line;
      place.column = 1;
    } else if (cel::code_point(rest) != kByteOrderMark) {
      ++place.column;
    }
    rest.remove_prefix(bytes);
  }
  return std::nullopt;
}

std::string as_utf8(const std::string& text) {
  std::string clean;
  for (std::string_view rest = text; !rest.empty();) {
    const auto bytes = cel::code_point_bytes(rest);
    const bool wrong = bytes == 1 && static_cast<unsigned char>(rest.front()) >= 0x80;
    clean += wrong ? std::string_view("\xEF\xBF\xBD") : rest.substr(0, bytes);
    rest.remove_prefix(bytes);
  }
  return clean;
}

std::string join_surrogates(const std::string& json) {
  std::string yaml;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto high = escape_at(json, i);
    const auto low = escape_at(json, i + 6);
    if (high >= 0xD800 && high < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
      const char32_t code = 0x10000 + ((high - 0xD800) << 10U) + (low - 0xDC00);
      yaml += "\\U" + hexadecimal(code, 8);
      i += 11;
    } else {
      yaml += json[i];
      if (json[i] == '\\' && i + 1 < json.size()) yaml += json[++i];
    }
  }
  return yaml;
}

}  // namespace convoke::plugin
