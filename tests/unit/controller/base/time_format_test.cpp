#include "controller/base/time_format.h"

#include <gtest/gtest.h>

namespace convoke {
namespace {

using namespace std::chrono_literals;

WallTime at(std::int64_t seconds_since_epoch, Duration rest = 0s) {
  return WallTime(std::chrono::seconds(seconds_since_epoch)) + rest;
}

TEST(TimeFormat, RefusesWhatIsNotATime) {
  for (const char* text :
       {"", "2026", "2026-01-31", "2026-01-31T12:00:05", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:05.Z", "2026-01-31T12:00:05Zx",
        "2026-01-31 12:00:05Z", "2026-01-31T12:00:05+0100", "0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"}) {
    const auto time = parse_time(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, ErrorCode::Invalid);
    EXPECT_NE(time.error().message.find(std::string("\"") + text + "\""), std::string::npos);
  }
}

TEST(TimeFormat, ParsesFractionsAndOffsets) {
  EXPECT_EQ(parse_time("2026-01-31T12:00:05Z").value(), at(1769860805));
  EXPECT_EQ(parse_time("2026-01-31T12:00:05.123456Z").value(), at(1769860805, 123456us));
  EXPECT_EQ(parse_time("2026-01-31T12:00:05.1234567891Z").value(), at(1769860805, 123456789ns));
  EXPECT_EQ(parse_time("2026-01-31T13:30:05+01:30").value(), at(1769860805));
  EXPECT_EQ(parse_time("2026-01-31T07:00:05-05:00").value(), at(1769860805));
  EXPECT_EQ(parse_time("1969-12-31T23:59:59.5Z").value(), at(0, -500ms));
}

TEST(TimeFormat, WritesWhatItReads) {
  for (const char* text : {"2026-01-31T12:00:05Z", "1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z"}) {
    EXPECT_EQ(format_time(parse_time(text).value()), text);
  }
  EXPECT_EQ(format_micro_time(at(1769860805, 123456789ns)), "2026-01-31T12:00:05.123456Z");
  EXPECT_EQ(format_micro_time(at(0)), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time(at(0, -1ns)), "1969-12-31T23:59:59Z");
}

TEST(DurationFormat, RefusesWhatIsNotADuration) {
  for (const char* text :
       {"", "s", "5", "-5s", "+5s", "5 s", "5x", "1h30", ".s", "1d", "99999999999h", "0x5s"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().code, ErrorCode::Invalid);
    EXPECT_NE(duration.error().message.find(std::string("\"") + text + "\""), std::string::npos);
  }
}

TEST(DurationFormat, ParsesGosSyntax) {
  EXPECT_EQ(parse_duration("0").value(), 0s);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
  EXPECT_EQ(parse_duration("90s").value(), 90s);
  EXPECT_EQ(parse_duration("1h30m").value(), 90min);
  EXPECT_EQ(parse_duration("1.5h").value(), 90min);
  EXPECT_EQ(parse_duration(".5s").value(), 500ms);
  EXPECT_EQ(parse_duration("0.1s").value(), 100ms);
  EXPECT_EQ(parse_duration("0.3m").value(), 18s);
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("7us").value(), 7us);
  EXPECT_EQ(parse_duration("7\u00b5s").value(), 7us);
  EXPECT_EQ(parse_duration("3ns").value(), 3ns);
  EXPECT_EQ(parse_duration("24h").value(), 24h);
}

TEST(DurationFormat, WritesTheShortestExactForm) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(90s), "1m30s");
  EXPECT_EQ(format_duration(90min), "1h30m");
  EXPECT_EQ(format_duration(24h), "24h");
  EXPECT_EQ(format_duration(1500ms), "1.5s");
  EXPECT_EQ(format_duration(250ms), "250ms");
  EXPECT_EQ(format_duration(7us + 5ns), "0.007005ms") << "no schema knows us or ns";
  EXPECT_EQ(format_duration(3ns), "0.000003ms");
  EXPECT_EQ(format_duration(1h + 1s), "1h1s");
  EXPECT_EQ(format_duration(-90s), "-1m30s");
}

TEST(DurationFormat, WhatItWritesIsReadBackAsTheSameDuration) {
  for (const Duration duration :
       {Duration(1ns), Duration(999'999'999ns), Duration(1h + 2min + 3s + 45ms + 6ns), Duration::max(),
        Duration(1min + 7us)}) {
    EXPECT_EQ(parse_duration(format_duration(duration)).value(), duration) << format_duration(duration);
  }
}

TEST(DurationFormat, HumanFormHasTwoUnitsAtMost) {
  EXPECT_EQ(human_duration(0s), "0s");
  EXPECT_EQ(human_duration(850ms), "850ms");
  EXPECT_EQ(human_duration(4200ms), "4.2s");
  EXPECT_EQ(human_duration(59'999ms), "59.9s");
  EXPECT_EQ(human_duration(3min + 12s), "3m12s");
  EXPECT_EQ(human_duration(3min), "3m");
  EXPECT_EQ(human_duration(1h + 59min + 59s), "1h59m");
  EXPECT_EQ(human_duration(52h + 30min), "2d4h");
  EXPECT_EQ(human_duration(-4200ms), "-4.2s");
  EXPECT_FALSE(human_duration(Duration::min()).empty());
}

}  // namespace
}  // namespace convoke
