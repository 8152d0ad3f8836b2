#include "reconcilers/agent/circuit_breaker.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/agent/now.h"

namespace convoke::agent {
namespace {

using namespace std::chrono_literals;
using api::CircuitState;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void fail(int times = 1) {
    for (int i = 0; i < times; ++i) attempt_ended(status, breaker, false, kNow);
  }
  void succeed(int times = 1) {
    for (int i = 0; i < times; ++i) attempt_ended(status, breaker, true, kNow);
  }
  void wait(Duration duration) { time_passed(status, breaker, duration, kNow); }

  api::CircuitBreaker breaker;  // 5 failures, 30 s, 3 successes
  api::AgentStatus status;
};

TEST_F(CircuitBreakerTest, OpensAfterFailuresInARowOnly) {
  fail(4);
  succeed();
  fail(4);
  EXPECT_EQ(status.circuit, CircuitState::Closed);
  EXPECT_EQ(status.consecutive_failures, 4);
  fail();
  EXPECT_EQ(status.circuit, CircuitState::Open);
  EXPECT_EQ(status.circuit_changed_at, "2026-01-01T12:00:00.000000Z");
}

TEST_F(CircuitBreakerTest, IsTriedAfterAWhileAndClosesWithEnoughSuccesses) {
  fail(5);
  wait(29s);
  EXPECT_EQ(status.circuit, CircuitState::Open);
  wait(30s);
  EXPECT_EQ(status.circuit, CircuitState::HalfOpen);
  succeed(2);
  EXPECT_EQ(status.circuit, CircuitState::HalfOpen);
  EXPECT_EQ(status.half_open_successes, 2);
  succeed();
  EXPECT_EQ(status.circuit, CircuitState::Closed);
  EXPECT_EQ(status.consecutive_failures, 0);
  EXPECT_EQ(status.half_open_successes, 0);
}

TEST_F(CircuitBreakerTest, AFailureOnTrialOpensItAgain) {
  fail(5);
  wait(30s);
  succeed(2);
  fail();
  EXPECT_EQ(status.circuit, CircuitState::Open);
  wait(30s);
  EXPECT_EQ(status.half_open_successes, 0) << "the next trial starts anew";
}

TEST_F(CircuitBreakerTest, LateResultsDoNotProlongIt) {
  fail(5);
  status.circuit_changed_at = "then";
  fail(3);
  succeed();
  EXPECT_EQ(status.circuit, CircuitState::Open);
  EXPECT_EQ(status.circuit_changed_at, "then");
}

TEST_F(CircuitBreakerTest, AThresholdOfZeroNeverOpensItAndClosesWhatIsOpen) {
  breaker.failure_threshold = 0;
  fail(100);
  EXPECT_EQ(status.circuit, CircuitState::Closed);
  status.circuit = CircuitState::Open;
  wait(0s);
  EXPECT_EQ(status.circuit, CircuitState::Closed);
}

}  // namespace
}  // namespace convoke::agent
