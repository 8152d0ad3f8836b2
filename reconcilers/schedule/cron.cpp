#include "reconcilers/schedule/cron.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>
#include <vector>

namespace convoke::schedule {
namespace {

using cctz::civil_day;
using cctz::civil_minute;

// The 29th of February is at most eight years away.
constexpr int kMaxMonthsAhead = 12 * 9;
constexpr std::size_t kMaxShownBytes = 40;

constexpr std::array<const char*, 12> kMonthNames{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                  "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<const char*, 7> kWeekdayNames{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

// What one of the five fields may hold.
struct Field {
  const char* name;
  int min;
  int max;
  const char* const* names = nullptr;  // of the values from `min` on
  std::size_t name_count = 0;
};

constexpr std::array<Field, 5> kFields{{
    {"minute", 0, 59},
    {"hour", 0, 23},
    {"day of the month", 1, 31},
    {"month", 1, 12, kMonthNames.data(), kMonthNames.size()},
    {"day of the week", 0, 7, kWeekdayNames.data(), kWeekdayNames.size()},
}};
constexpr std::size_t kWeekdayField = 4;

// A field as it was read.
struct Values {
  std::uint64_t bits = 0;
  bool any = false;  // "*" or "?" alone
};

struct Nickname {
  std::string_view name;
  std::string_view meaning;
};

constexpr std::array<Nickname, 7> kNicknames{{{"@yearly", "0 0 1 1 *"},
                                              {"@annually", "0 0 1 1 *"},
                                              {"@monthly", "0 0 1 * *"},
                                              {"@weekly", "0 0 * * 0"},
                                              {"@daily", "0 0 * * *"},
                                              {"@midnight", "0 0 * * *"},
                                              {"@hourly", "0 * * * *"}}};

std::string quoted(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kMaxShownBytes)) {
    shown += c >= ' ' && c <= '~' ? c : '?';
  }
  return "\"" + shown + (text.size() > kMaxShownBytes ? "..." : "") + "\"";
}

Error invalid(const std::string& what) {
  return Error{ErrorCode::Invalid, what, "InvalidSchedule"};
}

std::string expected(const Field& field) {
  std::string text = std::to_string(field.min) + " to " + std::to_string(field.max);
  if (field.names != nullptr) {
    text += ", " + std::string(field.names[0]) + " to " + field.names[field.name_count - 1];
  }
  return text;
}

Error wrong(const Field& field, const std::string& what) {
  return invalid(std::string(field.name) + ": " + what);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) {
      return parts;
    }
    begin = end + 1;
  }
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::size_t begin = 0; (begin = text.find_first_not_of(" \t", begin)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", begin), text.size());
    found.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return found;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::toupper(static_cast<unsigned char>(x)) == std::toupper(static_cast<unsigned char>(y));
  });
}

std::optional<int> read_number(std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  const bool good = error == std::errc{} && stopped == end && !text.empty() && text.front() != '-';
  return good ? std::optional(number) : std::nullopt;
}

Result<int> read_value(const Field& field, std::string_view text) {
  for (std::size_t i = 0; i < field.name_count; ++i) {
    if (same_word(text, field.names[i])) {
      return field.min + static_cast<int>(i);
    }
  }
  const auto number = read_number(text);
  if (!number || *number < field.min || *number > field.max) {
    return wrong(field, "expected " + expected(field) + ", got " + quoted(text));
  }
  return *number;
}

struct Range {
  int first;
  int last;
};

// "*", "7", "MON-FRI"; a single value with a step goes on to the end of the field.
Result<Range> read_range(const Field& field, std::string_view text, bool has_step) {
  if (text == "*" || text == "?") {
    return Range{field.min, field.max};
  }
  const auto ends = split(text, '-');
  if (ends.size() > 2) {
    return wrong(field, "expected a value or a range such as 1-5, got " + quoted(text));
  }
  const auto first = read_value(field, ends[0]);
  if (!first) {
    return first.error();
  }
  if (ends.size() == 1) {
    return Range{*first, has_step ? field.max : *first};
  }
  auto last = read_value(field, ends[1]);
  if (!last) {
    return last.error();
  }
  // SAT-SUN: a week that ends with Sunday.
  if (&field == &kFields[kWeekdayField] && *last == 0 && *first > 0) {
    last = 7;
  }
  if (*last < *first) {
    return wrong(field, "the range " + quoted(text) + " ends before it begins");
  }
  return Range{*first, *last};
}

Status read_item(const Field& field, std::string_view text, Values& values) {
  const auto parts = split(text, '/');
  if (parts.size() > 2) {
    return wrong(field, "expected at most one \"/\", got " + quoted(text));
  }
  const auto step = parts.size() == 2 ? read_number(parts[1]) : std::optional(1);
  if (!step || *step < 1 || *step > field.max) {
    return wrong(field,
                 "expected a step from 1 to " + std::to_string(field.max) + ", got " + quoted(parts[1]));
  }
  const auto range = read_range(field, parts[0], parts.size() == 2);
  if (!range) {
    return range.error();
  }
  for (int value = range->first; value <= range->last; value += *step) {
    values.bits |= std::uint64_t{1} << value;
  }
  values.any = values.any || ((parts[0] == "*" || parts[0] == "?") && *step == 1);
  return {};
}

Result<Values> read_field(const Field& field, std::string_view text) {
  Values values;
  for (const std::string_view item : split(text, ',')) {
    if (auto status = read_item(field, item, values); !status) {
      return status.error();
    }
  }
  return values;
}

Result<std::string_view> five_fields(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos || text[first] != '@') {
    return text;
  }
  const auto found = words(text);
  for (const auto& nickname : kNicknames) {
    if (found.size() == 1 && same_word(found[0], nickname.name)) {
      return nickname.meaning;
    }
  }
  return invalid("expected @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually, got " +
                 quoted(text));
}

cctz::seconds since_epoch(cctz::time_point<cctz::seconds> time) {
  return time.time_since_epoch();
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  if (text.size() > kMaxCronBytes) {
    return invalid("expected at most " + std::to_string(kMaxCronBytes) + " characters");
  }
  const auto five = five_fields(text);
  if (!five) {
    return five.error();
  }
  const auto parts = words(*five);
  if (!parts.empty() && (parts[0].starts_with("TZ=") || parts[0].starts_with("CRON_TZ="))) {
    return invalid("expected the time zone in timeZone, got " + quoted(parts[0]));
  }
  if (parts.size() != kFields.size()) {
    return invalid(
        "expected five fields (minute, hour, day of the month, month, day of the week) or a name such as "
        "@daily, got " +
        std::to_string(parts.size()) + (parts.size() == 1 ? " field in " : " fields in ") + quoted(text));
  }
  std::array<Values, kFields.size()> values;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    auto read = read_field(kFields[i], parts[i]);
    if (!read) {
      return read.error();
    }
    values[i] = *read;
  }
  Cron cron;
  cron.minutes_ = values[0].bits;
  cron.hours_ = values[1].bits;
  cron.days_ = values[2].bits;
  cron.months_ = values[3].bits;
  cron.weekdays_ = (values[4].bits | values[4].bits >> 7U) & 0x7fU;
  cron.every_hour_ = values[1].any;
  cron.every_day_ = values[2].any;
  cron.every_weekday_ = values[4].any;
  if (!cron.next_day(civil_day(2000, 1, 1))) {
    return invalid(quoted(text) + " never comes: no month that it names has such a day");
  }
  return cron;
}

bool Cron::fits(civil_day day) const {
  const bool fits_day = ((days_ >> day.day()) & 1U) != 0;
  // cctz counts from Monday.
  const int weekday = (static_cast<int>(cctz::get_weekday(day)) + 1) % 7;
  const bool fits_weekday = ((weekdays_ >> weekday) & 1U) != 0;
  return every_day_ || every_weekday_ ? fits_day && fits_weekday : fits_day || fits_weekday;
}

std::optional<civil_day> Cron::next_day(civil_day day) const {
  cctz::civil_month month(day);
  for (int i = 0; i <= kMaxMonthsAhead; ++i, ++month) {
    if (((months_ >> month.month()) & 1U) == 0) {
      continue;
    }
    for (civil_day candidate = std::max(day, civil_day(month)); cctz::civil_month(candidate) == month;
         ++candidate) {
      if (fits(candidate)) {
        return candidate;
      }
    }
  }
  return std::nullopt;
}

// Every instant whose local time fits; within a day that fits, one is at most an hour away.
std::optional<Cron::Second> Cron::next_in_real_time(Second after, const cctz::time_zone& zone) const {
  constexpr cctz::seconds kMinute(60);
  Second at(since_epoch(after) - (since_epoch(after) % kMinute + kMinute) % kMinute + kMinute);
  while (true) {
    const auto civil = zone.lookup(at).cs;
    const auto day = next_day(civil_day(civil));
    if (!day) {
      return std::nullopt;
    }
    if (*day == civil_day(civil)) {
      if (fits_minute(civil.minute())) {
        return at;
      }
      at += kMinute;
      continue;
    }
    // The day's beginning; of two that the clocks show, the one to come.
    const auto begin = zone.lookup(cctz::civil_second(*day));
    const Second first = begin.kind == cctz::time_zone::civil_lookup::SKIPPED ? begin.trans : begin.pre;
    at = std::max({at + kMinute, first > at ? first : begin.post});
  }
}

// Civil times and their instants (of a skipped one, the end of the gap; of a repeated one, the first) rise
// together, so the first civil time whose instant is late enough is the answer.
std::optional<Cron::Second> Cron::next_time_of_day(Second after, const cctz::time_zone& zone) const {
  const civil_minute begin(zone.lookup(after).cs);
  for (auto day = next_day(civil_day(begin)); day; day = next_day(*day + 1)) {
    for (civil_minute time = std::max(begin, civil_minute(*day)); civil_day(time) == *day; ++time) {
      if (!fits_hour(time.hour())) {
        time += 59 - time.minute();
        continue;
      }
      if (!fits_minute(time.minute())) {
        continue;
      }
      const auto found = zone.lookup(cctz::civil_second(time));
      const Second at = found.kind == cctz::time_zone::civil_lookup::SKIPPED ? found.trans : found.pre;
      if (at > after) {
        return at;
      }
    }
  }
  return std::nullopt;
}

std::optional<WallTime> Cron::next(WallTime after, const cctz::time_zone& zone) const {
  using cctz::seconds;
  const Second from(std::chrono::floor<seconds>(after.time_since_epoch()));
  // What a WallTime can hold, with room for the search.
  constexpr seconds kEarliest{-2'208'988'800};
  constexpr seconds kLatest{8'800'000'000};
  if (since_epoch(from) < kEarliest || since_epoch(from) > kLatest) {
    return std::nullopt;
  }
  const auto found = every_hour_ ? next_in_real_time(from, zone) : next_time_of_day(from, zone);
  return found ? std::optional(WallTime(since_epoch(*found))) : std::nullopt;
}

}  // namespace convoke::schedule
