#include "controller/runtime/duty_cycle.h"

#include <gtest/gtest.h>

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kBegin{1h};

TEST(DutyCycle, WhatIsCheapIsNeverKeptWaiting) {
  DutyCycle cycle(4, 2ms);
  EXPECT_EQ(cycle.wait("a", kBegin), 0ms);
  cycle.looked("a", kBegin, kBegin + 2ms);
  EXPECT_EQ(cycle.wait("a", kBegin + 2ms), 0ms);
}

TEST(DutyCycle, WhatIsDearWaitsInProportion) {
  DutyCycle cycle(4, 2ms);
  cycle.looked("a", kBegin, kBegin + 30ms);
  EXPECT_EQ(cycle.wait("a", kBegin + 30ms), 90ms);
  EXPECT_EQ(cycle.wait("a", kBegin + 100ms), 20ms);
  EXPECT_EQ(cycle.wait("a", kBegin + 200ms), 0ms);
  EXPECT_EQ(cycle.wait("b", kBegin + 30ms), 0ms) << "one object's cost is not another's";
}

TEST(DutyCycle, WhatBecameCheapOrWasForgottenWaitsNoMore) {
  DutyCycle cycle(4, 2ms);
  cycle.looked("a", kBegin, kBegin + 30ms);
  cycle.looked("a", kBegin + 30ms, kBegin + 31ms);
  EXPECT_EQ(cycle.wait("a", kBegin + 31ms), 0ms);
  cycle.looked("a", kBegin, kBegin + 30ms);
  cycle.forget("a");
  EXPECT_EQ(cycle.wait("a", kBegin + 31ms), 0ms);
}

}  // namespace
}  // namespace convoke::runtime
