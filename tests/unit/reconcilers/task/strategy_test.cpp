#include "reconcilers/task/strategy.h"

#include <gtest/gtest.h>

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using api::Strategy;

api::TaskTypeStatistics statistics(double success_rate, Duration mean) {
  return {"compile", 10, success_rate, mean, mean};
}

TEST(Strategy, PerformanceIsSuccessRoomAndSpeed) {
  const auto slow = statistics(0.5, 8s);
  EXPECT_DOUBLE_EQ(performance_score(&slow, 0.25, 2s), 0.4 * 0.5 + 0.3 * 0.75 + 0.3 * 0.25);
  const auto fast = statistics(1, 1s);
  EXPECT_DOUBLE_EQ(performance_score(&fast, 0, 2s), 1) << "nobody is faster than 1";
}

TEST(Strategy, ANewcomerCountsAsPerfectAndAFailureAsSlow) {
  EXPECT_DOUBLE_EQ(performance_score(nullptr, 0, 1s), 1);
  const auto hopeless = statistics(0, 0s);
  EXPECT_DOUBLE_EQ(performance_score(&hopeless, 0, 1s), 0.3);
}

TEST(Strategy, TheReferenceIsThePowerOfTwoBelowTheFastest) {
  EXPECT_EQ(speed_reference(0s), 1ms);
  EXPECT_EQ(speed_reference(1ms), 1ms);
  EXPECT_EQ(speed_reference(1999us), 1ms);
  EXPECT_EQ(speed_reference(2ms), 2ms);
  EXPECT_EQ(speed_reference(1s), 512ms);
}

TEST(Strategy, CostIsForTheTaskAndItsExpectedMinutes) {
  const api::Cost cost{0.002, 0.01};
  const auto half_an_hour = statistics(1, 30min);
  EXPECT_DOUBLE_EQ(expected_cost(cost, &half_an_hour), 0.302);
  EXPECT_DOUBLE_EQ(expected_cost(cost, nullptr), 0.012);
  const auto never_succeeded = statistics(0, 0s);
  EXPECT_DOUBLE_EQ(expected_cost(cost, &never_succeeded), 0.012);
}

TEST(Strategy, ScoresAreDecimalText) {
  EXPECT_EQ(format_score(Strategy::CapabilityMatch, 9), "9");
  EXPECT_EQ(format_score(Strategy::CapabilityMatch, -1), "-1");
  EXPECT_EQ(format_score(Strategy::LeastLoaded, 1.0 / 3), "0.3333");
  EXPECT_EQ(format_score(Strategy::Random, 0), "0");
  EXPECT_EQ(format_score(Strategy::Random, -0.0), "0");
  EXPECT_EQ(format_score(Strategy::CapabilityMatch, 100), "100");
  EXPECT_EQ(format_score(Strategy::CostOptimized, 0.00002), "0.00002");
  EXPECT_EQ(format_score(Strategy::CostOptimized, 1e6), "1000000");
}

}  // namespace
}  // namespace convoke::task
