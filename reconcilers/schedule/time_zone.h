// Time zones by their names, from the system's database (tzdata).
//
// Each is read once and kept. Thread safety: from every thread.
#pragma once

#include <optional>
#include <string_view>

#include <cctz/time_zone.h>

namespace convoke::schedule {

// "UTC", or a name of the database such as "Europe/Berlin"; nothing if there is none of that name.
std::optional<cctz::time_zone> find_time_zone(std::string_view name);

}  // namespace convoke::schedule
