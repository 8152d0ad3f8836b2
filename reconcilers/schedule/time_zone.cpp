#include "reconcilers/schedule/time_zone.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace convoke::schedule {
namespace {

bool is_zone_name(std::string_view name) {
  const auto is_inner = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '+' || c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '/' &&
         std::all_of(name.begin(), name.end(), is_inner);
}

// cctz keeps every name that it is asked for, so it is asked for names of files that exist only.
bool is_in_database(const std::string& name) {
  const char* folder = std::getenv("TZDIR");
  std::error_code failed;
  return std::filesystem::is_regular_file(
      std::filesystem::path(folder != nullptr ? folder : "/usr/share/zoneinfo") / name, failed);
}

}  // namespace

std::optional<cctz::time_zone> find_time_zone(std::string_view name) {
  if (name == "UTC") {
    return cctz::utc_time_zone();
  }
  const std::string text(name);
  cctz::time_zone zone;
  if (!is_zone_name(name) || !is_in_database(text) || !cctz::load_time_zone(text, &zone)) {
    return std::nullopt;
  }
  return zone;
}

}  // namespace convoke::schedule
