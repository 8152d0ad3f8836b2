// The parts of timestamps and durations: getFullYear(), getHours("Europe/Berlin"), ...
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/time_value.h"

namespace convoke::cel {
namespace {

// Reading a zone of the database costs far more than a step.
constexpr std::uint64_t kZoneSteps = 20;

// `part` of a timestamp, in UTC or in the zone of the second argument.
template <class Part>
Value calendar_part(const Call& call, Part part) {
  const bool has_zone = call.size() == 2;
  if (!call[0].is(Kind::Timestamp) || (has_zone && !call[1].is(Kind::String))) {
    return call.no_overload();
  }
  if (has_zone && !call.budget.spend(kZoneSteps)) {
    return too_expensive();
  }
  const auto time = calendar_time(call[0].as_timestamp(), has_zone ? call[1].as_text() : "");
  return time ? Value::from_int(part(*time))
              : Call::error(
                    "there is no such time zone; they are written \"Europe/Berlin\", \"UTC\" or \"+02:00\"");
}

// `part` of a duration if it is one, given `count` nanoseconds.
template <class Part>
Value duration_or_calendar_part(const Call& call, std::int64_t unit, std::int64_t modulus, Part part) {
  if (!call[0].is(Kind::Duration) || call.size() != 1) {
    return calendar_part(call, part);
  }
  const std::int64_t units = call[0].as_duration().count() / unit;
  return Value::from_int(modulus == 0 ? units : units % modulus);
}

constexpr std::int64_t kMilli = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMilli;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;

Value full_year(const Call& call) {
  return calendar_part(call, [](const CalendarTime& time) { return time.year; });
}
Value month(const Call& call) {
  return calendar_part(call, [](const CalendarTime& time) { return time.month - 1; });
}
Value date(const Call& call) {
  return calendar_part(call, [](const CalendarTime& time) { return time.day; });
}
Value day_of_month(const Call& call) {
  return calendar_part(call, [](const CalendarTime& time) { return time.day - 1; });
}
Value day_of_year(const Call& call) {
  return calendar_part(call, [](const CalendarTime& time) { return time.day_of_year - 1; });
}
Value day_of_week(const Call& call) {
  return calendar_part(call, [](const CalendarTime& time) { return time.day_of_week; });
}
Value hours(const Call& call) {
  return duration_or_calendar_part(call, kHour, 0, [](const CalendarTime& time) { return time.hour; });
}
Value minutes(const Call& call) {
  return duration_or_calendar_part(call, kMinute, 0, [](const CalendarTime& time) { return time.minute; });
}
Value seconds(const Call& call) {
  return duration_or_calendar_part(call, kSecond, 0, [](const CalendarTime& time) { return time.second; });
}
// Of a duration it is the part below a second, not the whole, as the specification has it.
Value milliseconds(const Call& call) {
  if (call[0].is(Kind::Timestamp)) {
    const auto millis = call[0].as_timestamp().nanos / kMilli;
    return calendar_part(call, [&](const CalendarTime&) { return millis; });
  }
  return duration_or_calendar_part(call, kMilli, 1000, [](const CalendarTime&) { return 0; });
}

constexpr Function kTimeFunctions[] = {
    {"getFullYear", true, 1, 2, full_year},
    {"getMonth", true, 1, 2, month},
    {"getDate", true, 1, 2, date},
    {"getDayOfMonth", true, 1, 2, day_of_month},
    {"getDayOfYear", true, 1, 2, day_of_year},
    {"getDayOfWeek", true, 1, 2, day_of_week},
    {"getHours", true, 1, 2, hours},
    {"getMinutes", true, 1, 2, minutes},
    {"getSeconds", true, 1, 2, seconds},
    {"getMilliseconds", true, 1, 2, milliseconds},
};

}  // namespace

FunctionTable time_functions() {
  return kTimeFunctions;
}

}  // namespace convoke::cel
