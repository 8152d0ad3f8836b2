// Timestamps and durations: text, arithmetic and calendar fields. Pure, but for the time zones, which are
// read from the system's database (tzdata) once and kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {

// RFC 3339, with any fraction and offset, between the years 1 and 9999.
std::optional<Timestamp> parse_timestamp(std::string_view text);
// In UTC, with as many digits of a fraction as there are: "2009-02-13T23:31:30.5Z".
std::string timestamp_text(Timestamp time);
std::optional<Timestamp> timestamp_from_seconds(std::int64_t seconds);

// "1h30m", "-1.5s", "0"; nothing also beyond 64 bits of nanoseconds, which are 292 years.
std::optional<Duration> parse_signed_duration(std::string_view text);
// In seconds: "6347s", "0.5s".
std::string duration_text(Duration duration);

// time + by, or time - by; nothing outside of the years 1 to 9999.
std::optional<Timestamp> moved(Timestamp time, Duration by, bool backwards);
// a - b; nothing if a duration cannot hold it.
std::optional<Duration> difference(Timestamp a, Timestamp b);

// A timestamp on a calendar.
struct CalendarTime {
  std::int64_t year = 1970;
  int month = 1;        // from 1
  int day = 1;          // from 1
  int day_of_year = 1;  // from 1
  int day_of_week = 0;  // Sunday is 0
  int hour = 0;
  int minute = 0;
  int second = 0;
};

// `zone`: "" or "UTC", a name such as "Europe/Berlin", or an offset such as "+02:00" or "-09:30". Nothing if
// there is no such zone.
std::optional<CalendarTime> calendar_time(Timestamp time, std::string_view zone);

}  // namespace convoke::cel
