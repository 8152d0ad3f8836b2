#include "reconcilers/expression/cel/time_value.h"

#include <array>
#include <cstdio>
#include <limits>

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>

#include "controller/base/time_format.h"
#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/text.h"
#include "reconcilers/schedule/time_zone.h"

namespace convoke::cel {
namespace {

constexpr std::int64_t kFirstSecond = -62135596800;  // 0001-01-01T00:00:00Z
constexpr std::int64_t kLastSecond = 253402300799;   // 9999-12-31T23:59:59Z
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

std::optional<Timestamp> in_range(std::int64_t seconds, std::int64_t nanos) {
  if (seconds < kFirstSecond || seconds > kLastSecond) {
    return std::nullopt;
  }
  return Timestamp{seconds, static_cast<std::int32_t>(nanos)};
}

// The number that `count` digits at `at` are; nothing if they are not all digits.
std::optional<int> digits_at(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) {
    return std::nullopt;
  }
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!is_digit(text[i])) {
      return std::nullopt;
    }
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// "+02:00", "-09:30" or "02:00", in seconds.
std::optional<int> parse_offset(std::string_view text) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (is_negative || (!text.empty() && text.front() == '+')) {
    text.remove_prefix(1);
  }
  const auto hours = digits_at(text, 0, 2);
  const auto minutes = digits_at(text, 3, 2);
  if (text.size() != 5 || text[2] != ':' || !hours || !minutes || *hours > 23 || *minutes > 59) {
    return std::nullopt;
  }
  const int seconds = (*hours * 60 + *minutes) * 60;
  return is_negative ? -seconds : seconds;
}

// The digits after the point as nanoseconds; those beyond the ninth are dropped.
std::int64_t fraction_nanos(std::string_view digits) {
  std::int64_t nanos = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    nanos = nanos * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  }
  return nanos;
}

// ".5", or nothing for 0; without zeros at the end.
std::string fraction_text(std::int64_t nanos) {
  if (nanos == 0) {
    return "";
  }
  std::string digits = std::to_string(nanos + kNanosPerSecond);
  digits.front() = '.';
  return digits.substr(0, digits.find_last_not_of('0') + 1);
}

std::optional<cctz::time_zone> find_zone(std::string_view text) {
  if (text.empty()) {
    return cctz::utc_time_zone();
  }
  if (const auto offset = parse_offset(text)) {
    return cctz::fixed_time_zone(cctz::seconds(*offset));
  }
  return schedule::find_time_zone(text);
}

cctz::time_point<cctz::seconds> point_of(std::int64_t seconds) {
  return cctz::time_point<cctz::seconds>(cctz::seconds(seconds));
}

}  // namespace

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  const auto year = digits_at(text, 0, 4);
  const auto month = digits_at(text, 5, 2);
  const auto day = digits_at(text, 8, 2);
  const auto hour = digits_at(text, 11, 2);
  const auto minute = digits_at(text, 14, 2);
  const auto second = digits_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const cctz::civil_second civil(*year, *month, *day, *hour, *minute, *second);
  // A civil_second normalizes: what it changed was no date.
  if (civil.month() != *month || civil.day() != *day || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  std::size_t at = 19;
  std::int64_t nanos = 0;
  if (at < text.size() && text[at] == '.') {
    const std::size_t begin = ++at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    if (at == begin) {
      return std::nullopt;
    }
    nanos = fraction_nanos(text.substr(begin, at - begin));
  }
  const auto rest = text.substr(at);
  const bool has_sign = !rest.empty() && (rest.front() == '+' || rest.front() == '-');
  const auto offset = rest == "Z" || rest == "z" ? std::optional(0)
                      : has_sign                 ? parse_offset(rest)
                                                 : std::nullopt;
  if (!offset) {
    return std::nullopt;
  }
  return in_range(civil - cctz::civil_second(1970) - *offset, nanos);
}

std::string timestamp_text(Timestamp time) {
  const auto civil = cctz::convert(point_of(time.seconds), cctz::utc_time_zone());
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d", static_cast<int>(civil.year()),
                civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second());
  return text.data() + fraction_text(time.nanos) + "Z";
}

std::optional<Timestamp> timestamp_from_seconds(std::int64_t seconds) {
  return in_range(seconds, 0);
}

std::optional<Duration> parse_signed_duration(std::string_view text) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (is_negative || (!text.empty() && text.front() == '+')) {
    text.remove_prefix(1);
  }
  if (text == "0") {
    return Duration::zero();
  }
  const auto parsed = parse_duration(text);
  if (!parsed) {
    return std::nullopt;
  }
  return is_negative ? -*parsed : *parsed;
}

std::string duration_text(Duration duration) {
  const std::int64_t seconds = duration.count() / kNanosPerSecond;
  const std::int64_t nanos = duration.count() % kNanosPerSecond;
  const bool is_negative = duration.count() < 0;
  // Written without the sign, which -0.5 would lose.
  const auto magnitude =
      is_negative ? 0 - static_cast<std::uint64_t>(seconds) : static_cast<std::uint64_t>(seconds);
  return (is_negative ? "-" : "") + std::to_string(magnitude) + fraction_text(is_negative ? -nanos : nanos) +
         "s";
}

std::optional<Timestamp> moved(Timestamp time, Duration by, bool backwards) {
  std::int64_t seconds = by.count() / kNanosPerSecond;
  std::int64_t nanos = by.count() % kNanosPerSecond;
  seconds = time.seconds + (backwards ? -seconds : seconds);
  nanos = time.nanos + (backwards ? -nanos : nanos);
  if (nanos < 0) {
    nanos += kNanosPerSecond;
    --seconds;
  } else if (nanos >= kNanosPerSecond) {
    nanos -= kNanosPerSecond;
    ++seconds;
  }
  return in_range(seconds, nanos);
}

std::optional<Duration> difference(Timestamp a, Timestamp b) {
  std::int64_t nanos = 0;
  if (__builtin_mul_overflow(a.seconds - b.seconds, kNanosPerSecond, &nanos) ||
      __builtin_add_overflow(nanos, a.nanos - b.nanos, &nanos)) {
    return std::nullopt;
  }
  return Duration(nanos);
}

std::optional<CalendarTime> calendar_time(Timestamp time, std::string_view zone) {
  const auto found = find_zone(zone);
  if (!found) {
    return std::nullopt;
  }
  const auto civil = cctz::convert(point_of(time.seconds), *found);
  const cctz::civil_day day(civil);
  CalendarTime result;
  result.year = civil.year();
  result.month = civil.month();
  result.day = civil.day();
  result.day_of_year = cctz::get_yearday(day);
  // cctz counts from Monday.
  result.day_of_week = (static_cast<int>(cctz::get_weekday(day)) + 1) % 7;
  result.hour = civil.hour();
  result.minute = civil.minute();
  result.second = civil.second();
  return result;
}

}  // namespace convoke::cel
