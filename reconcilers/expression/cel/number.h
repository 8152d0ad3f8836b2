// Numbers: exact conversions, and their text as Go (and so Kubernetes) writes and reads it. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace convoke::cel {

// The integer that a double is exactly; nothing if it has a fraction or is out of range.
std::optional<std::int64_t> exact_int(double value);
std::optional<std::uint64_t> exact_uint(double value);
// Cuts the fraction off; nothing out of range.
std::optional<std::int64_t> truncated_int(double value);
std::optional<std::uint64_t> truncated_uint(double value);

// The shortest text that reads back as the same number: "0.1", "1", "1e+21", "NaN", "+Inf".
std::string double_text(double value);
// Decimal digits with sign, fraction and exponent, or NaN, Inf, Infinity. Nothing if it is anything else, or
// beyond the largest double.
std::optional<double> parse_double(std::string_view text);
std::optional<std::int64_t> parse_int(std::string_view text, int base = 10);
std::optional<std::uint64_t> parse_uint(std::string_view text, int base = 10);

}  // namespace convoke::cel
