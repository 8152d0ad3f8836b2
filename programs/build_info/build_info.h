// What this build is: printed by --version, logged first, served as the metric convoke_build_info.
//
// Thread safety: from every thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <prometheus/registry.h>

namespace convoke::programs {

struct BuildInfo {
  std::string version;
  std::string commit;    // of git; "-modified" is added if tracked files differed from it; else "unknown"
  std::string date;      // RFC 3339: $SOURCE_DATE_EPOCH, else when the commit was made; else "unknown"
  std::string compiler;  // "g++ 12.2.0"
  std::vector<std::pair<std::string, std::string>> libraries;  // name, version
};

const BuildInfo& build_info();

// What --version prints: "PROGRAM VERSION" and, below it, a line for each of the rest.
std::string version_text(const std::string& program);

// Adds the gauge convoke_build_info, which is always 1; its labels are what this build is.
void register_build_info(prometheus::Registry& registry);

}  // namespace convoke::programs
