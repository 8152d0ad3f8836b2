#include "controller/base/clock.h"

#include <array>
#include <atomic>

#include <gtest/gtest.h>
#include <pthread.h>

namespace convoke {
namespace {

using namespace std::chrono_literals;

TEST(SystemClock, MonotonicTimeNeverGoesBack) {
  const SystemClock clock;
  const MonotonicTime first = clock.monotonic_now();
  EXPECT_LE(first, clock.monotonic_now());
}

TEST(SystemClock, WallTimeIsAfterThisWasWritten) {
  EXPECT_GT(SystemClock().wall_now(), WallTime(std::chrono::seconds(1'760'000'000)));
}

TEST(SystemClock, AThreadBearsItsNameCutToFifteenCharacters) {
  SystemClock clock;
  std::array<char, 32> name{};
  clock.start_thread("a-name-that-is-too-long",
                     [&name] { pthread_getname_np(pthread_self(), name.data(), name.size()); });
  EXPECT_STREQ(name.data(), "a-name-that-is-");
}

TEST(SystemClock, JoiningTwiceIsHarmless) {
  SystemClock clock;
  const auto thread = clock.start_thread("t", [] {});
  thread->join();
  thread->join();
}

TEST(SystemCondition, ADeadlineInThePastReturnsAtOnce) {
  SystemClock clock;
  const auto condition = clock.make_condition();
  Mutex mutex;
  const MutexLock lock(mutex);
  EXPECT_FALSE(condition->wait_until(mutex, clock.monotonic_now() - 1s));
}

TEST(SystemCondition, AWaitWithoutNotificationEndsAtItsDeadline) {
  SystemClock clock;
  const auto condition = clock.make_condition();
  const MonotonicTime deadline = clock.monotonic_now() + 2ms;
  Mutex mutex;
  const MutexLock lock(mutex);
  while (condition->wait_until(mutex, deadline)) {
  }
  EXPECT_GE(clock.monotonic_now(), deadline);
}

TEST(SystemCondition, ANotificationWakesTheWaiter) {
  SystemClock clock;
  const auto changed = clock.make_condition();
  Mutex mutex;
  bool ready = false;
  bool seen = false;
  const auto waiter = clock.start_thread("waiter", [&] {
    const MutexLock lock(mutex);
    while (!ready) {
      changed->wait_until(mutex, MonotonicTime::max());
    }
    seen = true;
  });
  {
    const MutexLock lock(mutex);
    ready = true;
  }
  changed->notify_one();
  waiter->join();
  EXPECT_TRUE(seen);
}

TEST(StopSignal, SleepsThroughWhenNobodyStopsIt) {
  SystemClock clock;
  StopSignal stop(clock);
  const MonotonicTime start = clock.monotonic_now();
  EXPECT_TRUE(stop.sleep_for(2ms));
  EXPECT_GE(clock.monotonic_now() - start, 2ms);
  EXPECT_FALSE(stop.stopped());
}

TEST(StopSignal, StopEndsASleepThatWouldLastForever) {
  SystemClock clock;
  StopSignal stop(clock);
  std::atomic<bool> slept_through{true};
  const auto sleeper =
      clock.start_thread("sleeper", [&] { slept_through = stop.sleep_for(Duration::max()); });
  stop.stop();
  sleeper->join();
  EXPECT_FALSE(slept_through);
  EXPECT_TRUE(stop.stopped());
  EXPECT_FALSE(stop.sleep_for(1h));
}

}  // namespace
}  // namespace convoke
