// Cron schedules, as crontab(5) and Kubernetes' CronJob have them. Start here to read reconcilers/schedule.
//
//   "30 3 * * MON-FRI"   minute, hour, day of the month, month, day of the week
//   "*/15 8-18 1,15 * *" lists, ranges, steps; "20/15" is 20-59/15
//   "@daily"             @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually
//
// Months and days of the week may be names (JAN, mon); 0 and 7 are Sunday. When both the day of the month and
// the day of the week are restricted, a day that fits either of them fits; a field is restricted unless it is
// "*" or "?".
//
// When the clocks change: with "*" as the hour (in full or by @hourly) the schedule follows real time, so
// that "*/15 * * * *" goes on every fifteen minutes and nothing else. With any other hour it means a time of
// the day: one that the clocks skip comes at once after the gap, and one that they show twice comes the first
// time only.
//
// Pure values; safe from every thread. Errors: Invalid; the message names the field and what was expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include "controller/base/clock.h"
#include "controller/base/result.h"

namespace convoke::schedule {

inline constexpr std::size_t kMaxCronBytes = 256;

class Cron {
 public:
  // Error also if no day ever fits, such as 30 February.
  static Result<Cron> parse(std::string_view text);

  // The first time after `after`. Nothing outside of the years 1900 to 2248.
  std::optional<WallTime> next(WallTime after, const cctz::time_zone& zone) const;

 private:
  using Second = cctz::time_point<cctz::seconds>;

  bool fits(cctz::civil_day day) const;
  bool fits_hour(int hour) const { return ((hours_ >> hour) & 1U) != 0; }
  bool fits_minute(int minute) const { return ((minutes_ >> minute) & 1U) != 0; }
  // The first day from `day` on that fits.
  std::optional<cctz::civil_day> next_day(cctz::civil_day day) const;
  std::optional<Second> next_in_real_time(Second after, const cctz::time_zone& zone) const;
  std::optional<Second> next_time_of_day(Second after, const cctz::time_zone& zone) const;

  // Bit n stands for the value n.
  std::uint64_t minutes_ = 0;
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t weekdays_ = 0;  // Sunday is 0
  bool every_hour_ = false;
  bool every_day_ = false;
  bool every_weekday_ = false;
};

}  // namespace convoke::schedule
