#include "reconcilers/task/rate_gate.h"

#include <gtest/gtest.h>

namespace convoke::task {
namespace {

using namespace std::chrono_literals;

const MonotonicTime kStart = MonotonicTime(1h);

int taken_within(RateGate& gate, MonotonicTime from, Duration duration) {
  int taken = 0;
  for (MonotonicTime now = from; now < from + duration; now += 100ms) {
    while (gate.opens_at(now) <= now && taken < 10'000) {
      gate.take(now);
      ++taken;
    }
  }
  return taken;
}

TEST(RateGate, WithoutALimitItIsAlwaysOpen) {
  RateGate gate;
  gate.configure({}, kStart);
  gate.take(kStart);
  EXPECT_EQ(gate.opens_at(kStart), kStart);
}

TEST(RateGate, GivesABurstThenTheRate) {
  RateGate gate;
  gate.configure(api::RateLimit{60, 5}, kStart);
  EXPECT_EQ(taken_within(gate, kStart, 1ms), 5);
  EXPECT_EQ(gate.opens_at(kStart), kStart + 1s);
  EXPECT_NEAR(taken_within(gate, kStart + 1ms, 60s), 60, 1);
}

TEST(RateGate, WithoutABurstItIsThatOfTenSeconds) {
  EXPECT_EQ(RateGate::burst_of({60, 0}), 10);
  EXPECT_EQ(RateGate::burst_of({1, 0}), 1);
  EXPECT_EQ(RateGate::burst_of({60, 3}), 3);
}

TEST(RateGate, WhatIsPutBackCanBeTakenAgain) {
  RateGate gate;
  gate.configure(api::RateLimit{60, 1}, kStart);
  gate.take(kStart);
  EXPECT_GT(gate.opens_at(kStart), kStart);
  gate.put_back();
  EXPECT_EQ(gate.opens_at(kStart), kStart);
}

TEST(RateGate, AChangedLimitDoesNotGiveANewBurst) {
  RateGate gate;
  gate.configure(api::RateLimit{60, 5}, kStart);
  taken_within(gate, kStart, 1ms);
  gate.configure(api::RateLimit{120, 5}, kStart);
  EXPECT_EQ(gate.opens_at(kStart), kStart + 500ms);
}

TEST(RateGate, ANewLeaderGoesOnWhereTheLastOneStopped) {
  RateGate gate;
  gate.configure(api::RateLimit{60, 5}, kStart);
  gate.replay(
      {kStart - 1s, kStart - 3s, kStart - 500ms, kStart - 1h, kStart - 2s, kStart - 4s, kStart - 100ms},
      kStart);
  EXPECT_EQ(taken_within(gate, kStart, 1ms), 3) << "six were taken of late, and four came back";
}

}  // namespace
}  // namespace convoke::task
