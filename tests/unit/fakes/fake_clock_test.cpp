#include "tests/fakes/fake_clock.h"

#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace convoke::fakes {
namespace {

using namespace std::chrono_literals;

// Appended to by threads that take turns: needs no lock, which the thread sanitizer checks.
using Journal = std::vector<std::string>;

Journal order_of_three_threads(FakeClockOptions options) {
  FakeClock clock(options);
  Journal journal;
  std::vector<std::unique_ptr<Thread>> threads;
  for (const char* name : {"a", "b", "c"}) {
    threads.push_back(clock.start_thread(name, [&clock, &journal, name] {
      for (int i = 0; i < 3; ++i) {
        journal.emplace_back(name);
        clock.yield();
      }
    }));
  }
  clock.settle();
  return journal;
}

class FakeClockDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_F(FakeClockDeathTest, AWaitThatNothingCanEndAbortsAndNamesTheBlockedThreads) {
  const auto deadlock = [] {
    FakeClock clock;
    Mutex mutex;
    const auto never = clock.make_condition();
    const auto wait = [&] {
      const MutexLock lock(mutex);
      never->wait(mutex);
    };
    const auto thread = clock.start_thread("poor-thing", wait);
    wait();
  };
  EXPECT_DEATH(deadlock(), "deadlock(.|\n)*\"poor-thing\" waits for a notification");
}

TEST_F(FakeClockDeathTest, AHotLoopAborts) {
  const auto spin = [] {
    FakeClock clock({.max_turns = 100});
    const auto thread = clock.start_thread("spinner", [&] {
      for (;;) {
        clock.yield();
      }
    });
    clock.settle();
  };
  EXPECT_DEATH(spin(), "in circles(.|\n)*\"spinner\"");
}

TEST_F(FakeClockDeathTest, OnlyTheTestsOwnThreadDrives) {
  const auto misuse = [] {
    FakeClock clock;
    const auto thread = clock.start_thread("pushy", [&] { clock.advance(1s); });
    clock.settle();
  };
  EXPECT_DEATH(misuse(), "called by thread \"pushy\"");
}

TEST(FakeClock, AThreadDoesNotRunBeforeTheTestSettles) {
  FakeClock clock;
  bool ran = false;
  const auto thread = clock.start_thread("t", [&] { ran = true; });
  EXPECT_FALSE(ran);
  clock.settle();
  EXPECT_TRUE(ran);
}

TEST(FakeClock, JoiningRunsTheThreadToItsEnd) {
  FakeClock clock;
  bool ran = false;
  clock.start_thread("t", [&] { ran = StopSignal(clock).sleep_for(1h); });
  EXPECT_TRUE(ran);
}

TEST(FakeClock, TimeStandsStillUnlessAdvanced) {
  FakeClock clock;
  const MonotonicTime start = clock.monotonic_now();
  clock.settle();
  EXPECT_EQ(clock.monotonic_now(), start);
  clock.advance(5s);
  EXPECT_EQ(clock.monotonic_now(), start + 5s);
}

TEST(FakeClock, WallTimeFollowsAtAnOffsetThatCanBeChanged) {
  FakeClock clock;
  const WallTime start = clock.wall_now();
  clock.advance(5s);
  EXPECT_EQ(clock.wall_now(), start + 5s);
  clock.skew(-1h);
  EXPECT_EQ(clock.wall_now(), start + 5s - 1h);
  clock.set_wall(start);
  clock.advance(1s);
  EXPECT_EQ(clock.wall_now(), start + 1s);
}

TEST(FakeClock, AdvanceStopsAtEveryTimerOnItsWay) {
  FakeClock clock;
  const MonotonicTime start = clock.monotonic_now();
  std::vector<Duration> ticks;
  const auto ticker = clock.start_thread("ticker", [&] {
    StopSignal stop(clock);
    for (int i = 0; i < 3; ++i) {
      stop.sleep_for(2s);
      ticks.push_back(clock.monotonic_now() - start);
    }
  });
  clock.advance(5s);
  EXPECT_EQ(ticks, (std::vector<Duration>{2s, 4s}));
  EXPECT_EQ(clock.next_timer(), start + 6s);
  clock.advance(1s);
  EXPECT_EQ(ticks.size(), 3u);
  EXPECT_EQ(clock.next_timer(), std::nullopt);
}

TEST(FakeClock, AdvanceUntilEndsAtTheFirstTimerThatMakesItTrue) {
  FakeClock clock;
  const MonotonicTime start = clock.monotonic_now();
  bool done = false;
  const auto thread = clock.start_thread("t", [&] { done = StopSignal(clock).sleep_for(3s); });
  EXPECT_FALSE(clock.advance_until([&] { return done; }, 2s));
  EXPECT_EQ(clock.monotonic_now(), start + 2s);
  EXPECT_TRUE(clock.advance_until([&] { return done; }, 1h));
  EXPECT_EQ(clock.monotonic_now(), start + 3s);
}

TEST(FakeClock, EqualDeadlinesFireInTheOrderOfTheirWaits) {
  FakeClock clock;
  Journal journal;
  std::vector<std::unique_ptr<Thread>> threads;
  for (const char* name : {"a", "b", "c", "d"}) {
    threads.push_back(clock.start_thread(name, [&clock, &journal, name] {
      StopSignal(clock).sleep_for(1s);
      journal.emplace_back(name);
    }));
  }
  clock.advance(1s);
  EXPECT_EQ(journal, (Journal{"a", "b", "c", "d"}));
}

TEST(FakeClock, TurnsAreFirstComeFirstServedByDefault) {
  EXPECT_EQ(order_of_three_threads({}), (Journal{"a", "b", "c", "a", "b", "c", "a", "b", "c"}));
}

TEST(FakeClock, TheSameSeedGivesTheSameOrderAndSeedsDiffer) {
  const Journal first = order_of_three_threads({.seed = 1});
  EXPECT_EQ(order_of_three_threads({.seed = 1}), first);
  bool differs = false;
  for (std::uint64_t seed = 2; seed < 10; ++seed) {
    differs = differs || order_of_three_threads({.seed = seed}) != first;
  }
  EXPECT_TRUE(differs);
}

TEST(FakeClock, TheTestsOwnWaitRunsTheOthersUntilItIsNotified) {
  FakeClock clock;
  Mutex mutex;
  const auto changed = clock.make_condition();
  bool ready = false;
  const MonotonicTime start = clock.monotonic_now();
  const auto thread = clock.start_thread("t", [&] {
    StopSignal(clock).sleep_for(7s);
    const MutexLock lock(mutex);
    ready = true;
    changed->notify_all();
  });
  const MutexLock lock(mutex);
  while (!ready) {
    changed->wait(mutex);
  }
  EXPECT_EQ(clock.monotonic_now(), start + 7s);
}

TEST(FakeClock, TheTestsOwnWaitEndsAtItsDeadline) {
  FakeClock clock;
  Mutex mutex;
  const auto changed = clock.make_condition();
  const MonotonicTime start = clock.monotonic_now();
  const MutexLock lock(mutex);
  EXPECT_FALSE(changed->wait_until(mutex, start + 3s));
  EXPECT_EQ(clock.monotonic_now(), start + 3s);
  EXPECT_FALSE(changed->wait_until(mutex, start));
}

TEST(FakeClock, NotifyOneWakesOneWaiterAndNotifyAllTheRest) {
  FakeClock clock;
  Mutex mutex;
  const auto changed = clock.make_condition();
  int woken = 0;
  std::vector<std::unique_ptr<Thread>> threads;
  for (int i = 0; i < 3; ++i) {
    threads.push_back(clock.start_thread("waiter", [&] {
      const MutexLock lock(mutex);
      changed->wait_until(mutex, MonotonicTime::max());
      ++woken;
    }));
  }
  clock.settle();
  changed->notify_one();
  clock.settle();
  EXPECT_EQ(woken, 1);
  changed->notify_all();
  clock.settle();
  EXPECT_EQ(woken, 3);
}

TEST(FakeClock, AThreadMayJoinAnother) {
  FakeClock clock;
  Journal journal;
  const auto outer = clock.start_thread("outer", [&] {
    clock.start_thread("inner", [&] {
      StopSignal(clock).sleep_for(1s);
      journal.emplace_back("inner");
    });
    journal.emplace_back("outer");
  });
  clock.advance(1s);
  EXPECT_EQ(journal, (Journal{"inner", "outer"}));
}

TEST(FakeClock, SaysWhatItsThreadsWaitFor) {
  FakeClock clock;
  StopSignal stop(clock);
  const auto sleeper = clock.start_thread("sleeper", [&] { stop.sleep_for(90s); });
  EXPECT_EQ(clock.describe_threads(), (Journal{"\"sleeper\" could run"}));
  clock.settle();
  EXPECT_EQ(clock.describe_threads(), (Journal{"\"sleeper\" waits for a notification or 1m30s"}));
  stop.stop();
  clock.settle();
  EXPECT_TRUE(clock.describe_threads().empty());
}

}  // namespace
}  // namespace convoke::fakes
