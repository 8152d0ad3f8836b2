// A cron schedule in its time zone, and which of its times are due.
//
// Pure values; safe from every thread. Errors: Invalid; the message begins with the field: "cron: ...".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "reconcilers/schedule/cron.h"

namespace convoke::schedule {

// How many times that have passed are told one by one.
inline constexpr std::size_t kMaxCounted = 100;

// The times from the first to now.
struct Due {
  WallTime latest;
  std::vector<WallTime> earlier;  // those before it; at most kMaxCounted
};

class Schedule {
 public:
  // An empty zone is UTC.
  static Result<Schedule> parse(const std::string& cron, const std::string& zone);

  // The first time after `after`.
  std::optional<WallTime> next(WallTime after) const { return cron_.next(after, zone_); }

  // `first` is one of the schedule's times; nothing if it is still to come.
  std::optional<Due> due(WallTime first, WallTime now) const;

 private:
  Schedule(const Cron& cron, cctz::time_zone zone) : cron_(cron), zone_(zone) {}

  WallTime latest(WallTime first, WallTime now) const;

  Cron cron_;
  cctz::time_zone zone_;
};

}  // namespace convoke::schedule
