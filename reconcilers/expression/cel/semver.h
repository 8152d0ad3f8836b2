// Semantic versions (semver.org 2.0.0). Pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace convoke::cel {

struct Semver {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::int64_t patch = 0;
  std::vector<std::string> pre_release;  // "rc.1": {"rc", "1"}
  std::string build;                     // without meaning for the order

  std::weak_ordering operator<=>(const Semver& other) const;
  bool operator==(const Semver& other) const { return (*this <=> other) == 0; }
};

std::optional<Semver> parse_semver(std::string_view text);
// The lenient form of Kubernetes: without a "v" in front, with .0 for the parts that are missing, without
// leading zeros.
std::string normalized_semver(std::string_view text);
std::string semver_text(const Semver& version);

}  // namespace convoke::cel
