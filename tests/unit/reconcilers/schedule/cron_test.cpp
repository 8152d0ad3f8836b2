#include "reconcilers/schedule/cron.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/schedule/schedule.h"
#include "reconcilers/schedule/time_zone.h"

namespace convoke::schedule {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

WallTime at(const std::string& text) {
  return *parse_time(text);
}

// The next `count` times of the schedule, in UTC.
std::vector<std::string> times(const std::string& cron, const std::string& zone, const std::string& after,
                               int count) {
  const auto schedule = Schedule::parse(cron, zone);
  if (!schedule) {
    return {schedule.error().message};
  }
  std::vector<std::string> found;
  std::optional<WallTime> time = at(after);
  for (int i = 0; i < count && (time = schedule->next(*time)); ++i) {
    found.push_back(format_time(*time));
  }
  return found;
}

std::string first(const std::string& cron, const std::string& after) {
  const auto found = times(cron, "UTC", after, 1);
  return found.empty() ? "never" : found[0];
}

std::string problem(const std::string& cron) {
  const auto parsed = Cron::parse(cron);
  return parsed ? "none" : parsed.error().message;
}

TEST(Cron, TimesFollowTheFields) {
  struct Case {
    std::string cron, after, next;
  };
  const std::vector<Case> cases = {
      {"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
      {"* * * * *", "2026-01-01T00:00:59.9Z", "2026-01-01T00:01:00Z"},
      {"* * * * *", "2025-12-31T23:59:30Z", "2026-01-01T00:00:00Z"},
      {"30 3 * * *", "2026-01-01T03:30:00Z", "2026-01-02T03:30:00Z"},
      {"30 3 * * *", "2026-01-01T03:29:59Z", "2026-01-01T03:30:00Z"},
      {"  */20   8-10,22 * * *\t", "2026-01-01T10:40:00Z", "2026-01-01T22:00:00Z"},
      {"5/20 * * * *", "2026-01-01T00:26:00Z", "2026-01-01T00:45:00Z"},
      {"10-30/10 0 * * *", "2026-01-01T00:30:00Z", "2026-01-02T00:10:00Z"},
      {"0 0 1 jan,JUL *", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"},
      {"0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"},
      {"0 0 * * SUN", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * 0", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * Sat-Sun", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * 5-7", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * MON-FRI", "2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z"},
      {"0 0 29 2 *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
      {"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
      {"0 0 ? * ?", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
      {"@hourly", "2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z"},
      {"@daily", "2026-01-01T00:30:00Z", "2026-01-02T00:00:00Z"},
      {"@midnight", "2026-01-01T00:30:00Z", "2026-01-02T00:00:00Z"},
      {"@weekly", "2026-01-01T00:30:00Z", "2026-01-04T00:00:00Z"},
      {"@monthly", "2026-01-01T00:30:00Z", "2026-02-01T00:00:00Z"},
      {"@yearly", "2026-01-01T00:30:00Z", "2027-01-01T00:00:00Z"},
      {"@Annually", "2026-01-01T00:30:00Z", "2027-01-01T00:00:00Z"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(first(c.cron, c.after), c.next) << c.cron << " after " << c.after;
  }
}

TEST(Cron, ADayFitsEitherOfTwoRestrictedDayFields) {
  EXPECT_THAT(times("0 0 13 * FRI", "UTC", "2026-02-10T00:00:00Z", 4),
              ElementsAre("2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z",
                          "2026-03-06T00:00:00Z"));
  EXPECT_EQ(first("0 0 13 * *", "2026-02-14T00:00:00Z"), "2026-03-13T00:00:00Z");
  EXPECT_EQ(first("0 0 30 2 MON", "2026-02-01T00:00:00Z"), "2026-02-02T00:00:00Z")
      << "the 30th of February never comes, but Mondays do";
}

TEST(Cron, AnErrorNamesTheFieldAndWhatWasExpected) {
  EXPECT_THAT(problem("60 * * * *"), AllOf(HasSubstr("minute: expected 0 to 59"), HasSubstr("\"60\"")));
  EXPECT_THAT(problem("* 24 * * *"), HasSubstr("hour: expected 0 to 23, got \"24\""));
  EXPECT_THAT(problem("* * 0 * *"), HasSubstr("day of the month: expected 1 to 31, got \"0\""));
  EXPECT_THAT(problem("* * * FOO *"), HasSubstr("month: expected 1 to 12, JAN to DEC, got \"FOO\""));
  EXPECT_THAT(problem("* * * * 8"), HasSubstr("day of the week: expected 0 to 7, SUN to SAT, got \"8\""));
  EXPECT_THAT(problem("5-1 * * * *"), HasSubstr("minute: the range \"5-1\" ends before it begins"));
  EXPECT_THAT(problem("1-2-3 * * * *"), HasSubstr("minute: expected a value or a range"));
  EXPECT_THAT(problem("*/0 * * * *"), HasSubstr("minute: expected a step from 1 to 59"));
  EXPECT_THAT(problem("*/5/5 * * * *"), HasSubstr("minute: expected at most one \"/\""));
  EXPECT_THAT(problem("1,,2 * * * *"), HasSubstr("minute: expected 0 to 59, got \"\""));
  EXPECT_THAT(problem("-1 * * * *"), HasSubstr("minute: expected 0 to 59, got \"\""));
  EXPECT_THAT(problem("* * * *"), HasSubstr("expected five fields"));
  EXPECT_THAT(problem(""), HasSubstr("got 0 fields"));
  EXPECT_THAT(problem("0 * * * * *"), HasSubstr("got 6 fields"));
  EXPECT_THAT(problem("@every 5m"), HasSubstr("expected @hourly, @daily"));
  EXPECT_THAT(problem("@reboot"), HasSubstr("expected @hourly"));
  EXPECT_THAT(problem("TZ=Asia/Tokyo 0 0 * * *"), HasSubstr("time zone in timeZone"));
  EXPECT_THAT(problem("0 0 30 2 *"), HasSubstr("never comes"));
  EXPECT_THAT(problem("0 0 31 4,6,9,11 *"), HasSubstr("never comes"));
  EXPECT_THAT(problem(std::string(1000, '1')), HasSubstr("at most 256"));
}

TEST(Cron, ATimeZoneMustExist) {
  for (const char* zone : {"Mars/Olympus", "../../etc/passwd", "/etc/localtime", "Local", "+02:00"}) {
    EXPECT_THAT(times("@daily", zone, "2026-01-01T00:00:00Z", 1),
                ElementsAre(HasSubstr("timeZone: expected")))
        << zone;
  }
  EXPECT_EQ(times("@daily", "", "2026-01-01T00:00:00Z", 1),
            times("@daily", "UTC", "2026-01-01T00:00:00Z", 1));
}

TEST(Cron, AZoneWithoutDaylightSavingHasItsOwnMidnight) {
  EXPECT_THAT(times("0 0 * * *", "Asia/Kolkata", "2026-03-29T00:00:00Z", 2),
              ElementsAre("2026-03-29T18:30:00Z", "2026-03-30T18:30:00Z"));
}

// Berlin, 29 March 2026: 02:00 becomes 03:00 (01:00 UTC).
TEST(Cron, ATimeOfDayThatTheClocksSkipComesOnceAfterTheGap) {
  EXPECT_THAT(times("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3),
              ElementsAre("2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"));
  EXPECT_THAT(times("*/15 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
              ElementsAre("2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"));
  EXPECT_THAT(times("0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
              ElementsAre("2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"));
}

// Berlin, 25 October 2026: 03:00 becomes 02:00 (01:00 UTC).
TEST(Cron, ATimeOfDayThatTheClocksShowTwiceComesTheFirstTime) {
  EXPECT_THAT(times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
              ElementsAre("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"));
  EXPECT_THAT(times("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
              ElementsAre("2026-10-26T01:30:00Z"))
      << "asked within the second time";
}

TEST(Cron, AScheduleOfEveryHourFollowsRealTime) {
  EXPECT_THAT(times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4),
              ElementsAre("2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z",
                          "2026-03-29T02:00:00Z"));
  EXPECT_THAT(times("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 5),
              ElementsAre("2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z",
                          "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"));
  EXPECT_THAT(times("@hourly", "America/New_York", "2026-11-01T04:00:00Z", 4),
              ElementsAre("2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z",
                          "2026-11-01T08:00:00Z"));
}

// New York, 8 March 2026: 02:00 becomes 03:00 (07:00 UTC); 1 November: 02:00 becomes 01:00 (06:00 UTC).
TEST(Cron, NewYork) {
  EXPECT_THAT(times("15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
              ElementsAre("2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"));
  EXPECT_THAT(times("15 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
              ElementsAre("2026-11-01T05:15:00Z", "2026-11-02T06:15:00Z"));
}

// Lord Howe moves its clocks by half an hour. 4 October 2026: 02:00 becomes 02:30 (15:30 UTC of the day
// before); 5 April 2026: 02:00 becomes 01:30 (15:00 UTC of the day before).
TEST(Cron, LordHowe) {
  EXPECT_THAT(times("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 2),
              ElementsAre("2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"));
  EXPECT_THAT(times("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T20:00:00Z", 2),
              ElementsAre("2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"));
  EXPECT_THAT(times("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", 3),
              ElementsAre("2026-04-04T15:00:00Z", "2026-04-04T15:15:00Z", "2026-04-04T15:30:00Z"));
}

// Where the clocks change at midnight, a day may have none. Sao Paulo, 4 November 2018.
TEST(Cron, AMidnightThatTheClocksSkip) {
  EXPECT_THAT(times("@daily", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2),
              ElementsAre("2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"));
}

// Samoa had no 30 December 2011.
TEST(Cron, ADayThatTheCalendarSkips) {
  EXPECT_THAT(times("0 12 * * *", "Pacific/Apia", "2011-12-29T22:00:00Z", 2),
              ElementsAre("2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"));
  EXPECT_THAT(times("0 * 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1),
              ElementsAre("2012-12-29T10:00:00Z"));
}

// The rule that all of the above follows, over whole years: each time is later than the one before and shows
// the right local time, unless the clocks skip that.
TEST(Cron, TimesRiseAndShowTheScheduleTheWholeYear) {
  for (const char* zone : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}) {
    const auto found = *find_time_zone(zone);
    const auto cron = *Cron::parse("30 2 * * *");
    auto time = at("2024-01-01T00:00:00Z");
    int shifted = 0;
    for (int day = 0; day < 3 * 366; ++day) {
      const auto next = cron.next(time, found);
      ASSERT_TRUE(next && *next > time);
      EXPECT_GE(*next - time, day == 0 ? 0h : 22h) << zone << " " << format_time(*next);
      EXPECT_LE(*next - time, 26h) << zone << " " << format_time(*next);
      time = *next;
      const auto seconds = std::chrono::duration_cast<cctz::seconds>(time.time_since_epoch());
      const auto civil = cctz::convert(cctz::time_point<cctz::seconds>(seconds), found);
      shifted += civil.hour() == 2 && civil.minute() == 30 ? 0 : 1;
    }
    EXPECT_LE(shifted, 3) << zone;
  }
}

TEST(Cron, BeyondWhatATimeHoldsThereIsNothing) {
  EXPECT_EQ(times("@daily", "UTC", "2260-01-01T00:00:00Z", 1).size(), 0u);
  EXPECT_EQ(times("@daily", "UTC", "1800-01-01T00:00:00Z", 1).size(), 0u);
}

TEST(Schedule, WhatIsDueIsTheLatestAndHowManyThereWere) {
  const auto schedule = *Schedule::parse("*/10 * * * *", "UTC");
  EXPECT_FALSE(schedule.due(at("2026-01-01T00:10:00Z"), at("2026-01-01T00:09:59Z")));
  const auto one = schedule.due(at("2026-01-01T00:10:00Z"), at("2026-01-01T00:10:00Z"));
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->earlier.empty());
  const auto three = schedule.due(at("2026-01-01T00:10:00Z"), at("2026-01-01T00:39:59Z"));
  ASSERT_TRUE(three);
  EXPECT_EQ(three->earlier.size(), 2u);
  EXPECT_EQ(format_time(three->latest), "2026-01-01T00:30:00Z");
}

TEST(Schedule, AYearOfDowntimeIsNotWalkedThrough) {
  const auto minutes =
      Schedule::parse("* * * * *", "UTC")->due(at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:30Z"));
  ASSERT_TRUE(minutes);
  EXPECT_EQ(minutes->earlier.size(), kMaxCounted);
  EXPECT_EQ(format_time(minutes->latest), "2026-01-01T00:00:00Z");
  const auto sparse =
      Schedule::parse("* * * 1 *", "UTC")->due(at("2025-01-01T00:00:00Z"), at("2025-12-01T00:00:30Z"));
  ASSERT_TRUE(sparse);
  EXPECT_EQ(format_time(sparse->latest), "2025-01-31T23:59:00Z");
}

}  // namespace
}  // namespace convoke::schedule
