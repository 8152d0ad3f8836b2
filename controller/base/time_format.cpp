#include "controller/base/time_format.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace convoke {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// The day and time of day of a wall time, down to the second, and the rest.
struct Fields {
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<Duration> time;
};

Fields split(WallTime time) {
  const auto day = std::chrono::floor<days>(time);
  return {std::chrono::year_month_day(day), std::chrono::hh_mm_ss<Duration>(time - day)};
}

std::string date_and_time(const Fields& fields) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(fields.date.year()), static_cast<unsigned>(fields.date.month()),
                static_cast<unsigned>(fields.date.day()), static_cast<int>(fields.time.hours().count()),
                static_cast<int>(fields.time.minutes().count()),
                static_cast<int>(fields.time.seconds().count()));
  return text.data();
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Takes pieces off the front of a text; every take_* says whether the piece was there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  bool take(char c) {
    if (peek() != c || done()) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  bool take_prefix(std::string_view prefix) {
    if (rest_.substr(0, prefix.size()) != prefix) {
      return false;
    }
    rest_.remove_prefix(prefix.size());
    return true;
  }

  bool take_digits(int count, int& value) {
    value = 0;
    for (int i = 0; i < count; ++i) {
      if (!is_digit(peek())) {
        return false;
      }
      value = value * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return true;
  }

  // All digits that follow, at least one.
  std::string_view take_number() {
    std::size_t length = 0;
    while (length < rest_.size() && is_digit(rest_[length])) {
      ++length;
    }
    const std::string_view digits = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return digits;
  }

 private:
  std::string_view rest_;
};

// ".123" as nanoseconds; digits beyond the ninth are dropped, as Go does.
bool scan_fraction(Scanner& scanner, Duration& fraction) {
  fraction = Duration::zero();
  if (!scanner.take('.')) {
    return true;
  }
  const std::string_view digits = scanner.take_number();
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    value = value * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  }
  fraction = Duration(value);
  return !digits.empty();
}

bool scan_offset(Scanner& scanner, minutes& offset) {
  offset = minutes(0);
  if (scanner.take('Z') || scanner.take('z')) {
    return true;
  }
  const bool is_negative = scanner.peek() == '-';
  int hour = 0;
  int minute = 0;
  if (!(scanner.take('+') || scanner.take('-')) || !scanner.take_digits(2, hour) || !scanner.take(':') ||
      !scanner.take_digits(2, minute) || hour > 23 || minute > 59) {
    return false;
  }
  offset = minutes((hour * 60 + minute) * (is_negative ? -1 : 1));
  return true;
}

bool scan_date(Scanner& scanner, std::chrono::sys_days& date) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!scanner.take_digits(4, year) || !scanner.take('-') || !scanner.take_digits(2, month) ||
      !scanner.take('-') || !scanner.take_digits(2, day)) {
    return false;
  }
  const std::chrono::year_month_day value{std::chrono::year(year),
                                          std::chrono::month(static_cast<unsigned>(month)),
                                          std::chrono::day(static_cast<unsigned>(day))};
  date = std::chrono::sys_days(value);
  return value.ok();
}

bool scan_time_of_day(Scanner& scanner, seconds& time) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!scanner.take_digits(2, hour) || !scanner.take(':') || !scanner.take_digits(2, minute) ||
      !scanner.take(':') || !scanner.take_digits(2, second) || hour > 23 || minute > 59 || second > 59) {
    return false;
  }
  time = hours(hour) + minutes(minute) + seconds(second);
  return true;
}

Error bad_time(std::string_view text) {
  return {ErrorCode::Invalid,
          "\"" + std::string(text) + "\" is not an RFC 3339 time such as \"2026-01-31T12:00:05Z\""};
}

Error bad_duration(std::string_view text) {
  return {ErrorCode::Invalid,
          "\"" + std::string(text) + "\" is not a duration such as \"90s\", \"5m\" or \"1h30m\""};
}

struct Unit {
  std::string_view name;
  Duration length;
};

// Longer names first: "ms" must not be read as "m".
constexpr std::array<Unit, 8> kUnits{{{"ns", Duration(1)},
                                      {"us", microseconds(1)},
                                      {"\u00b5s", microseconds(1)},
                                      {"\u03bcs", microseconds(1)},
                                      {"ms", milliseconds(1)},
                                      {"s", seconds(1)},
                                      {"m", minutes(1)},
                                      {"h", hours(1)}}};

const Unit* scan_unit(Scanner& scanner) {
  for (const Unit& unit : kUnits) {
    if (scanner.take_prefix(unit.name)) {
      return &unit;
    }
  }
  return nullptr;
}

bool to_integer(std::string_view digits, std::int64_t& value) {
  value = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, c - '0', &value)) {
      return false;
    }
  }
  return true;
}

// The fraction 0.<digits> of a unit, rounded down to a nanosecond.
std::int64_t fraction_of(std::string_view digits, Duration unit) {
  long double value = 0;
  long double scale = 1;
  for (const char c : digits) {
    scale *= 10;
    value += static_cast<long double>(c - '0') / scale;
  }
  // Half of the smallest decimal step hides the binary rounding of numbers such as 0.1.
  return static_cast<std::int64_t>(value * static_cast<long double>(unit.count()) + 1e-6L);
}

// One "<number><unit>", added to `total`.
bool scan_term(Scanner& scanner, std::int64_t& total) {
  const std::string_view whole = scanner.take_number();
  std::string_view fraction;
  if (scanner.take('.')) {
    fraction = scanner.take_number();
  }
  const Unit* unit = whole.empty() && fraction.empty() ? nullptr : scan_unit(scanner);
  std::int64_t value = 0;
  return unit != nullptr && to_integer(whole, value) &&
         !__builtin_mul_overflow(value, unit->length.count(), &value) &&
         !__builtin_add_overflow(value, fraction_of(fraction, unit->length), &value) &&
         !__builtin_add_overflow(total, value, &total);
}

// `value` in units of `unit`, with as many decimals as it needs.
std::string decimal(std::int64_t value, std::int64_t unit) {
  std::string text = std::to_string(value / unit);
  std::int64_t rest = value % unit;
  if (rest != 0) {
    text += '.';
  }
  while (rest != 0) {
    unit /= 10;
    text += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  return text;
}

std::string below_a_minute(Duration duration) {
  const std::int64_t value = duration.count();
  if (duration >= seconds(1)) {
    return decimal(value, 1'000'000'000) + "s";
  }
  // Never us or ns: the schemas of the API know no smaller unit.
  return decimal(value, 1'000'000) + "ms";
}

// "3m12s", or "3m" if nothing of the smaller unit is left.
std::string two_units(Duration duration, Duration large, const char* large_name, Duration small,
                      const char* small_name) {
  std::string text = std::to_string(duration / large) + large_name;
  if (const auto rest = duration % large / small; rest != 0) {
    text += std::to_string(rest) + small_name;
  }
  return text;
}

}  // namespace

std::string format_time(WallTime time) {
  return date_and_time(split(time)) + "Z";
}

std::string format_micro_time(WallTime time) {
  const Fields fields = split(time);
  const auto micros = std::chrono::duration_cast<microseconds>(fields.time.subseconds()).count();
  std::array<char, 32> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(micros));
  return date_and_time(fields) + fraction.data();
}

Result<WallTime> parse_time(std::string_view text) {
  Scanner scanner(text);
  std::chrono::sys_days date;
  seconds time_of_day{};
  Duration fraction{};
  minutes offset{};
  if (!scan_date(scanner, date) || !(scanner.take('T') || scanner.take('t')) ||
      !scan_time_of_day(scanner, time_of_day) || !scan_fraction(scanner, fraction) ||
      !scan_offset(scanner, offset) || !scanner.done()) {
    return bad_time(text);
  }
  const seconds since_epoch = date.time_since_epoch() + time_of_day - offset;
  constexpr seconds kLimit = std::chrono::duration_cast<seconds>(WallTime::duration::max()) - seconds(1);
  if (since_epoch > kLimit || since_epoch < -kLimit) {
    return bad_time(text);
  }
  return WallTime(since_epoch + fraction);
}

Result<Duration> parse_duration(std::string_view text) {
  if (text == "0") {
    return Duration::zero();
  }
  Scanner scanner(text);
  std::int64_t total = 0;
  do {
    if (!scan_term(scanner, total)) {
      return bad_duration(text);
    }
  } while (!scanner.done());
  return Duration(total);
}

std::string format_duration(Duration duration) {
  if (duration == Duration::zero()) {
    return "0s";
  }
  std::string text;
  if (duration < Duration::zero()) {
    // The smallest value has no positive counterpart; nobody can tell it from its neighbour.
    duration = -std::max(duration, -Duration::max());
    text = "-";
  }
  if (duration >= hours(1)) {
    text += std::to_string(duration / hours(1)) + "h";
  }
  if (const auto whole_minutes = duration % hours(1) / minutes(1); whole_minutes != 0) {
    text += std::to_string(whole_minutes) + "m";
  }
  if (const Duration rest = duration % minutes(1); rest != Duration::zero()) {
    text += below_a_minute(rest);
  }
  return text;
}

std::string human_duration(Duration duration) {
  if (duration < Duration::zero()) {
    return "-" + human_duration(-std::max(duration, -Duration::max()));
  }
  if (duration < milliseconds(1)) {
    return "0s";
  }
  if (duration < seconds(1)) {
    return std::to_string(duration / milliseconds(1)) + "ms";
  }
  if (duration < minutes(1)) {
    return decimal(duration / milliseconds(100), 10) + "s";
  }
  if (duration < hours(1)) {
    return two_units(duration, minutes(1), "m", seconds(1), "s");
  }
  if (duration < days(1)) {
    return two_units(duration, hours(1), "h", minutes(1), "m");
  }
  return two_units(duration, days(1), "d", hours(1), "h");
}

}  // namespace convoke
