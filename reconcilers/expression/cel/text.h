// Text as CEL sees it: a sequence of Unicode code points, stored as UTF-8. A byte that is not UTF-8 counts as
// one code point of its own. Pure functions, linear in the length of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace convoke::cel {

// Bytes that the code point at the start of `text` takes; at least 1 if `text` is not empty.
std::size_t code_point_bytes(std::string_view text);
// The code point at the start of `text`; U+FFFD for a byte that is not UTF-8.
char32_t code_point(std::string_view text);
std::size_t count_code_points(std::string_view text);
// Where the n-th code point starts; text.size() for n equal to their number; nothing beyond.
std::optional<std::size_t> byte_offset(std::string_view text, std::size_t n);
void append_code_point(std::string& text, char32_t code);
bool is_unicode_scalar(std::uint32_t code);
bool is_utf8(std::string_view text);

bool is_digit(char c);  // of ASCII
std::string lower_ascii(std::string_view text);
std::string upper_ascii(std::string_view text);
// Without Unicode's white space at both ends.
std::string_view trimmed(std::string_view text);

// Byte positions, or npos; linear in the length of both, whatever they hold.
std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from = 0);
std::size_t find_last_text(std::string_view text, std::string_view wanted);

}  // namespace convoke::cel
