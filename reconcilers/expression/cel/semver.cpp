#include "reconcilers/expression/cel/semver.h"

#include <algorithm>

#include "reconcilers/expression/cel/number.h"

namespace convoke::cel {
namespace {

constexpr std::size_t kMaxBytes = 256;

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::int64_t> parse_part(std::string_view text) {
  return is_number(text) && (text.size() == 1 || text.front() != '0') ? parse_int(text) : std::nullopt;
}

bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

std::vector<std::string> split_dots(std::string_view text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (true) {
    const auto dot = text.find('.', at);
    parts.emplace_back(text.substr(at, std::min(dot, text.size()) - at));
    if (dot == std::string_view::npos) {
      return parts;
    }
    at = dot + 1;
  }
}

// "MAIN-PRE+BUILD", each without its sign; PRE and BUILD may be missing.
struct Pieces {
  std::string_view main;
  std::optional<std::string_view> pre_release;
  std::optional<std::string_view> build;
};

Pieces take_apart(std::string_view text) {
  Pieces pieces;
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    pieces.build = text.substr(plus + 1);
    text = text.substr(0, plus);
  }
  if (const auto minus = text.find('-'); minus != std::string_view::npos) {
    pieces.pre_release = text.substr(minus + 1);
    text = text.substr(0, minus);
  }
  pieces.main = text;
  return pieces;
}

// Numbers come before words and are compared by value.
std::weak_ordering compare_identifiers(const std::string& a, const std::string& b) {
  const bool a_is_number = is_number(a);
  const bool b_is_number = is_number(b);
  if (a_is_number != b_is_number) {
    return a_is_number ? std::weak_ordering::less : std::weak_ordering::greater;
  }
  if (a_is_number && a.size() != b.size()) {  // without leading zeros, the longer one is larger
    return a.size() <=> b.size();
  }
  return a <=> b;
}

bool are_identifiers(const std::vector<std::string>& parts, bool forbids_leading_zeros) {
  return std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
    return is_identifier(part) &&
           !(forbids_leading_zeros && is_number(part) && part.size() > 1 && part[0] == '0');
  });
}

}  // namespace

std::weak_ordering Semver::operator<=>(const Semver& other) const {
  for (const auto order : {major <=> other.major, minor <=> other.minor, patch <=> other.patch}) {
    if (order != 0) {
      return order;
    }
  }
  if (pre_release.empty() != other.pre_release.empty()) {
    return pre_release.empty() ? std::weak_ordering::greater : std::weak_ordering::less;
  }
  for (std::size_t i = 0; i < std::min(pre_release.size(), other.pre_release.size()); ++i) {
    if (const auto order = compare_identifiers(pre_release[i], other.pre_release[i]); order != 0) {
      return order;
    }
  }
  return pre_release.size() <=> other.pre_release.size();
}

std::optional<Semver> parse_semver(std::string_view text) {
  const Pieces pieces = take_apart(text);
  const auto numbers = split_dots(pieces.main);
  if (text.size() > kMaxBytes || numbers.size() != 3) {
    return std::nullopt;
  }
  const auto major = parse_part(numbers[0]);
  const auto minor = parse_part(numbers[1]);
  const auto patch = parse_part(numbers[2]);
  if (!major || !minor || !patch) {
    return std::nullopt;
  }
  Semver version{*major, *minor, *patch, {}, {}};
  if (pieces.pre_release) {
    version.pre_release = split_dots(*pieces.pre_release);
  }
  if (!are_identifiers(version.pre_release, true) ||
      (pieces.build && !are_identifiers(split_dots(*pieces.build), false))) {
    return std::nullopt;
  }
  version.build = std::string(pieces.build.value_or(""));
  return version;
}

std::string normalized_semver(std::string_view text) {
  if (!text.empty() && (text.front() == 'v' || text.front() == 'V')) {
    text.remove_prefix(1);
  }
  if (text.size() > kMaxBytes) {
    return std::string(text);
  }
  const Pieces pieces = take_apart(text);
  auto numbers = split_dots(pieces.main);
  for (auto& number : numbers) {
    number.erase(0, std::min(number.find_first_not_of('0'), number.empty() ? 0 : number.size() - 1));
  }
  while (numbers.size() < 3) {
    numbers.emplace_back("0");
  }
  std::string result;
  for (const auto& number : numbers) {
    result += (result.empty() ? "" : ".") + number;
  }
  return result + std::string(text.substr(pieces.main.size()));
}

std::string semver_text(const Semver& version) {
  std::string text = std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
                     std::to_string(version.patch);
  for (std::size_t i = 0; i < version.pre_release.size(); ++i) {
    text += (i == 0 ? "-" : ".") + version.pre_release[i];
  }
  return version.build.empty() ? text : text + "+" + version.build;
}

}  // namespace convoke::cel
