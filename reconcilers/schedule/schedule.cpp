#include "reconcilers/schedule/schedule.h"

#include <algorithm>

#include "reconcilers/schedule/time_zone.h"

namespace convoke::schedule {

Result<Schedule> Schedule::parse(const std::string& cron, const std::string& zone) {
  auto parsed = Cron::parse(cron);
  if (!parsed) {
    return parsed.error().with_context("cron");
  }
  const auto found = find_time_zone(zone.empty() ? "UTC" : zone);
  if (!found) {
    return Error{ErrorCode::Invalid,
                 "timeZone: expected \"UTC\" or a name of the time zone database such as \"Europe/Berlin\"",
                 "InvalidSchedule"};
  }
  return Schedule(*parsed, *found);
}

std::optional<Due> Schedule::due(WallTime first, WallTime now) const {
  if (first > now) {
    return std::nullopt;
  }
  Due due{first, {}};
  for (auto following = next(first); following && *following <= now; following = next(*following)) {
    due.earlier.push_back(due.latest);
    due.latest = *following;
    if (due.earlier.size() == kMaxCounted) {
      due.latest = latest(due.latest, now);
      break;
    }
  }
  return due;
}

// After a year of downtime the times are too many to walk through: looks back from now, twice as far each
// time.
WallTime Schedule::latest(WallTime first, WallTime now) const {
  for (Duration back = std::chrono::minutes(2); now - back > first; back *= 2) {
    auto found = next(now - back);
    if (!found || *found > now) {
      continue;
    }
    for (auto following = next(*found); following && *following <= now; following = next(*following)) {
      found = following;
    }
    return *found;
  }
  WallTime found = first;
  for (auto following = next(found); following && *following <= now; following = next(found)) {
    found = *following;
  }
  return found;
}

}  // namespace convoke::schedule
