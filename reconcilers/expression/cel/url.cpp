#include "reconcilers/expression/cel/url.h"

#include <algorithm>

#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

constexpr std::string_view kUnreserved = "-_.~";
constexpr std::string_view kPathSigns = "$&+,/:;=@!'()*";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
int hex_value(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Without its %XX; nothing if one of them is none.
std::optional<std::string> unescaped(std::string_view text, bool plus_is_space) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) {
      return std::nullopt;
    }
    result += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return result;
}

std::string escaped_path(std::string_view path) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string result;
  for (const char c : path) {
    if (is_letter(c) || is_digit(c) || c == '%' || kUnreserved.find(c) != std::string_view::npos ||
        kPathSigns.find(c) != std::string_view::npos) {
      result += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result.append("%").append(1, kDigits[byte >> 4U]).append(1, kDigits[byte & 0xFU]);
    }
  }
  return result;
}

// The scheme in front of ":", if there is one; empty for none, nothing for a bad one.
std::optional<std::string_view> scheme_of(std::string_view text) {
  const auto end = text.find_first_of(":/?");
  if (end == std::string_view::npos || text[end] != ':') {
    return "";
  }
  const auto scheme = text.substr(0, end);
  const bool is_scheme =
      !scheme.empty() && is_letter(scheme.front()) && std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
      });
  return is_scheme ? std::optional(scheme) : std::nullopt;
}

bool read_host(std::string_view authority, Url& url) {
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    authority.remove_prefix(at + 1);
  }
  url.host = std::string(authority);
  const bool is_v6 = authority.starts_with('[');
  const auto close = authority.find(']');
  if (is_v6 && close == std::string_view::npos) {
    return false;
  }
  const auto colon = authority.find(':', is_v6 ? close : 0);
  const auto name = authority.substr(0, colon);
  url.hostname = std::string(is_v6 ? authority.substr(1, close - 1) : name);
  url.port = colon == std::string_view::npos ? "" : std::string(authority.substr(colon + 1));
  const bool is_name =
      is_v6 ? name.size() == close + 1 : name.find_first_of(" []<>\"\\^`{|}%#") == std::string_view::npos;
  return is_name && std::all_of(url.port.begin(), url.port.end(), is_digit);
}

void read_query(std::string_view query, Url& url) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    const auto key = unescaped(pair.substr(0, equals), true);
    const auto value = unescaped(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!pair.empty() && key && value && pair.find(';') == std::string_view::npos) {
      url.query[*key].push_back(*value);
    }
  }
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  const bool has_control = std::any_of(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  const auto scheme = scheme_of(text);
  if (text.empty() || has_control || !scheme) {
    return std::nullopt;
  }
  Url url;
  url.text = std::string(text);
  url.scheme = lower_ascii(*scheme);
  auto rest = scheme->empty() ? text : text.substr(scheme->size() + 1);
  if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
    read_query(rest.substr(mark + 1), url);
    rest = rest.substr(0, mark);
  }
  if (!rest.starts_with('/')) {
    return scheme->empty() ? std::nullopt : std::optional(std::move(url));
  }
  if (!scheme->empty() && rest.starts_with("//")) {
    rest.remove_prefix(2);
    const auto slash = std::min(rest.find('/'), rest.size());
    if (!read_host(rest.substr(0, slash), url)) {
      return std::nullopt;
    }
    rest.remove_prefix(slash);
  }
  if (!unescaped(rest, false)) {
    return std::nullopt;
  }
  url.escaped_path = escaped_path(rest);
  return url;
}

}  // namespace convoke::cel
