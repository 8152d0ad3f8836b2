#include "reconcilers/expression/cel/number.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') {
    text.remove_prefix(1);
  }
  return text;
}

template <class Integer>
std::optional<Integer> parse_integer(std::string_view text, int base) {
  Integer value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, base);
  return parsed.ec == std::errc{} && parsed.ptr == end ? std::optional(value) : std::nullopt;
}

std::optional<double> parse_word(std::string_view text, bool is_negative) {
  const std::string word = lower_ascii(text);
  if (word == "nan") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (word == "inf" || word == "infinity") {
    const double infinity = std::numeric_limits<double>::infinity();
    return is_negative ? -infinity : infinity;
  }
  return std::nullopt;
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) {
    ++at;
  }
  return at;
}

// digits [. digits] [e [sign] digits], with a digit before or after the point
bool is_decimal(std::string_view text) {
  std::size_t at = skip_digits(text, 0);
  std::size_t digits = at;
  if (at < text.size() && text[at] == '.') {
    const std::size_t end = skip_digits(text, at + 1);
    digits += end - at - 1;
    at = end;
  }
  if (digits > 0 && at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
      ++at;
    }
    const std::size_t end = skip_digits(text, at);
    digits = end - at;
    at = end;
  }
  return digits > 0 && at == text.size();
}

}  // namespace

std::optional<std::int64_t> exact_int(double value) {
  if (!(value >= -kTwoTo63 && value < kTwoTo63) || std::trunc(value) != value) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value);
}

std::optional<std::uint64_t> exact_uint(double value) {
  if (!(value >= 0 && value < kTwoTo64) || std::trunc(value) != value) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(value);
}

// Both ends are refused, as the specification does: they may be the rounded image of a number out of range.
std::optional<std::int64_t> truncated_int(double value) {
  return value > -kTwoTo63 && value < kTwoTo63 ? std::optional(static_cast<std::int64_t>(value))
                                               : std::nullopt;
}

std::optional<std::uint64_t> truncated_uint(double value) {
  return value >= 0 && value < kTwoTo64 ? std::optional(static_cast<std::uint64_t>(value)) : std::nullopt;
}

std::string double_text(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value < 0 ? "-Inf" : "+Inf";
  }
  constexpr double kScientificBelow = 1e-4;
  constexpr double kScientificFrom = 1e21;
  const double magnitude = std::fabs(value);
  const bool is_scientific = magnitude != 0 && (magnitude < kScientificBelow || magnitude >= kScientificFrom);
  std::array<char, 64> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                    is_scientific ? std::chars_format::scientific : std::chars_format::fixed);
  return std::string(buffer.data(), written.ptr);
}

std::optional<double> parse_double(std::string_view text) {
  const bool is_negative = !text.empty() && text.front() == '-';
  std::string_view digits = text;
  if (is_negative || (!text.empty() && text.front() == '+')) {
    digits.remove_prefix(1);
  }
  if (!is_decimal(digits)) {
    return parse_word(digits, is_negative);
  }
  // Not from_chars: it does not tell a number too small, which is zero, from one too large.
  const double value = std::strtod(std::string(digits).c_str(), nullptr);
  if (std::isinf(value)) {
    return std::nullopt;
  }
  return is_negative ? -value : value;
}

std::optional<std::int64_t> parse_int(std::string_view text, int base) {
  return parse_integer<std::int64_t>(without_plus(text), base);
}

std::optional<std::uint64_t> parse_uint(std::string_view text, int base) {
  return parse_integer<std::uint64_t>(text, base);
}

}  // namespace convoke::cel
