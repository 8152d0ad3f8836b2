#include "controller/kube/server_clock.h"

#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;

// The fake clock begins at 2026-01-01T00:00:00Z, a Thursday.
constexpr char kStart[] = "Thu, 01 Jan 2026 00:00:00 GMT";

class ServerClockTest : public testing::Test {
 protected:
  std::optional<Duration> answered(const std::string& date, Duration took = 10ms) {
    return clock_.answered(date, machine_.monotonic_now() - took);
  }
  Duration ahead_of(WallTime time) const { return clock_.wall_now() - time; }

  fakes::FakeClock machine_;
  const WallTime start_ = machine_.wall_now();
  ServerClock clock_{machine_};
};

TEST_F(ServerClockTest, WhatIsNoDateIsIgnored) {
  for (const char* text : {"", "now", "Thu, 01 Foo 2026 00:00:00 GMT", "Thu, 99 Jan 2026 00:00:00 GMT",
                           "Thu, 01 Jan 2026 00:00:00 CET", "Thu, 01 Jan 2026 00:00:00 GMT "}) {
    EXPECT_FALSE(parse_http_date(text)) << text;
    EXPECT_FALSE(answered(text));
  }
  machine_.skew(1h);
  EXPECT_EQ(clock_.wall_now(), start_ + 1h);
}

TEST_F(ServerClockTest, DatesAreRead) {
  EXPECT_EQ(format_time(*parse_http_date("Sat, 21 Nov 2026 07:15:09 GMT")), "2026-11-21T07:15:09Z");
}

TEST_F(ServerClockTest, MachineThatIsAnHourAheadIsNotBelieved) {
  machine_.skew(1h);
  const auto news = answered(kStart);
  ASSERT_TRUE(news);
  EXPECT_NEAR(std::chrono::duration<double>(*news).count(), 3600, 1);
  EXPECT_LT(std::chrono::abs(ahead_of(start_)), 1s);
  EXPECT_FALSE(answered(kStart)) << "that is no news any more";
}

TEST_F(ServerClockTest, ClockThatJumpsBetweenTwoAnswersDoesNoHarm) {
  ASSERT_FALSE(answered(kStart));
  machine_.advance(1s);
  machine_.skew(1h);
  EXPECT_EQ(clock_.wall_now(), start_ + 1s);
  EXPECT_TRUE(answered("Thu, 01 Jan 2026 00:00:01 GMT"));
  EXPECT_LT(std::chrono::abs(ahead_of(start_ + 1s)), 1s);
  machine_.skew(-1h);
  const auto news = answered("Thu, 01 Jan 2026 00:00:01 GMT");
  ASSERT_TRUE(news);
  EXPECT_EQ(*news, 0s);
  EXPECT_EQ(clock_.wall_now(), start_ + 1s);
  EXPECT_EQ(clock_.skew(), 0s);
}

TEST_F(ServerClockTest, SmallDifferencesAndSlowAnswersChangeNothing) {
  machine_.skew(4s);
  EXPECT_FALSE(answered(kStart));
  EXPECT_EQ(clock_.wall_now(), start_ + 4s);
  machine_.advance(8s);
  EXPECT_FALSE(answered(kStart, 8s)) << "the server may have answered long ago";
  machine_.skew(1h);
  EXPECT_FALSE(answered(kStart, 11s));
  EXPECT_EQ(clock_.wall_now(), start_ + 12s);
}

class OneAnswer final : public Transport {
 public:
  Result<HttpResponse> send(const HttpRequest&) override { return HttpResponse{200, headers, ""}; }
  Result<StreamResponse> open_stream(const HttpRequest&) override {
    return StreamResponse{200, headers, nullptr};
  }
  void shutdown() override {}

  std::map<std::string, std::string> headers;
};

TEST_F(ServerClockTest, EveryAnswerOfATransportCounts) {
  OneAnswer answer;
  DatedTransport transport(answer, clock_, Logger());
  machine_.skew(1h);
  ASSERT_TRUE(transport.send({"GET", "/"}));
  EXPECT_EQ(clock_.skew(), 0s) << "an answer without a date says nothing";
  answer.headers["date"] = kStart;
  ASSERT_TRUE(transport.open_stream({"GET", "/"}));
  EXPECT_GT(clock_.skew(), 59min);
  machine_.skew(-1h);
  ASSERT_TRUE(transport.send({"GET", "/"}));
  EXPECT_EQ(clock_.skew(), 0s);
}

TEST_F(ServerClockTest, SkewedTimeFlowsEvenly) {
  machine_.skew(-1h);
  ASSERT_TRUE(answered(kStart));
  WallTime last = clock_.wall_now();
  for (int i = 1; i < 40; ++i) {
    machine_.advance(250ms);
    EXPECT_FALSE(answered("Thu, 01 Jan 2026 00:00:0" + std::to_string(i / 4) + " GMT"));
    EXPECT_EQ(clock_.wall_now() - last, 250ms);
    last = clock_.wall_now();
  }
}

}  // namespace
}  // namespace convoke::kube
