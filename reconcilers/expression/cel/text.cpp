#include "reconcilers/expression/cel/text.h"

#include <algorithm>
#include <cstring>

namespace convoke::cel {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

bool is_continuation(std::string_view text, std::size_t i) {
  return i < text.size() && (byte_at(text, i) & 0xC0U) == 0x80U;
}

// Length and value of the well-formed sequence at the start; length 0 if there is none.
struct Decoded {
  std::size_t length = 0;
  char32_t code = 0;
};

Decoded decode(std::string_view text) {
  const unsigned char first = byte_at(text, 0);
  if (first < 0x80) {
    return {1, first};
  }
  std::size_t length = 0;
  char32_t code = 0;
  char32_t least = 0;
  if ((first & 0xE0U) == 0xC0U) {
    length = 2, code = first & 0x1FU, least = 0x80;
  } else if ((first & 0xF0U) == 0xE0U) {
    length = 3, code = first & 0x0FU, least = 0x800;
  } else if ((first & 0xF8U) == 0xF0U) {
    length = 4, code = first & 0x07U, least = 0x10000;
  } else {
    return {};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text, i)) {
      return {};
    }
    code = (code << 6U) | (byte_at(text, i) & 0x3FU);
  }
  return code >= least && is_unicode_scalar(code) ? Decoded{length, code} : Decoded{};
}

bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

std::string mapped(std::string_view text, char from, char to, int shift) {
  std::string result(text);
  for (char& c : result) {
    if (c >= from && c <= to) {
      c = static_cast<char>(c + shift);
    }
  }
  return result;
}

}  // namespace

std::size_t code_point_bytes(std::string_view text) {
  return std::max<std::size_t>(decode(text).length, 1);
}

char32_t code_point(std::string_view text) {
  const auto decoded = decode(text);
  return decoded.length > 0 ? decoded.code : 0xFFFD;
}

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    at += code_point_bytes(text.substr(at));
  }
  return count;
}

std::optional<std::size_t> byte_offset(std::string_view text, std::size_t n) {
  std::size_t at = 0;
  for (; n > 0 && at < text.size(); --n) {
    at += code_point_bytes(text.substr(at));
  }
  return n == 0 ? std::optional(at) : std::nullopt;
}

void append_code_point(std::string& text, char32_t code) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | (code >> 6U));
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | (code >> 12U));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | (code >> 18U));
    put(0x80U | ((code >> 12U) & 0x3FU));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

bool is_unicode_scalar(std::uint32_t code) {
  return code < 0xD800 || (code > 0xDFFF && code <= 0x10FFFF);
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto decoded = decode(text.substr(at));
    if (decoded.length == 0) {
      return false;
    }
    at += decoded.length;
  }
  return true;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower_ascii(std::string_view text) {
  return mapped(text, 'A', 'Z', 'a' - 'A');
}

std::string upper_ascii(std::string_view text) {
  return mapped(text, 'a', 'z', 'A' - 'a');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_white_space(code_point(text))) {
    text.remove_prefix(code_point_bytes(text));
  }
  while (!text.empty()) {
    std::size_t last = text.size() - 1;
    while (last > 0 && text.size() - last < 4 && is_continuation(text, last)) {
      --last;
    }
    const auto decoded = decode(text.substr(last));
    if (decoded.length != text.size() - last || !is_white_space(decoded.code)) {
      break;
    }
    text.remove_suffix(decoded.length);
  }
  return text;
}

// Not string_view::find: it takes the product of both lengths on hostile text.
std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from) {
  if (from > text.size() || text.size() - from < wanted.size()) {
    return std::string_view::npos;
  }
  if (wanted.empty()) {
    return from;
  }
  const auto* found = static_cast<const char*>(
      ::memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size()));
  return found == nullptr ? std::string_view::npos : static_cast<std::size_t>(found - text.data());
}

std::size_t find_last_text(std::string_view text, std::string_view wanted) {
  const std::string backwards(text.rbegin(), text.rend());
  const std::string wanted_backwards(wanted.rbegin(), wanted.rend());
  const auto found = find_text(backwards, wanted_backwards);
  return found == std::string_view::npos ? found : text.size() - found - wanted.size();
}

}  // namespace convoke::cel
