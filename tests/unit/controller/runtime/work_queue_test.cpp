#include "controller/runtime/work_queue.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "controller/runtime/work_queue_metrics.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/runtime/keys.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class WorkQueueTest : public ::testing::Test {
 protected:
  ~WorkQueueTest() override { queue.shut_down(); }

  // Workers that finish each key at once.
  void start_workers(int count) {
    for (int i = 0; i < count; ++i) {
      workers.push_back(clock.start_thread("worker", [this] {
        while (const auto got = queue.get()) {
          names.push_back(got->name);
          queue.done(*got);
        }
        ++ended;
      }));
    }
  }

  std::string metrics_text() const { return prometheus::TextSerializer().Serialize(registry.Collect()); }

  fakes::FakeClock clock;
  prometheus::Registry registry;
  WorkQueueMetrics metrics{registry, "task"};
  WorkQueue queue{clock, metrics};
  std::vector<std::string> names;  // one thread runs at a time: the clock's baton guards it
  int ended = 0;
  std::vector<std::unique_ptr<Thread>> workers;
};

// --- Without workers ---

TEST_F(WorkQueueTest, WhileHeldItKeepsNoMoreThanTwiceTheKeysWhoseObjectIsThere) {
  std::set<std::string> objects;
  queue.hold([&](const kube::ObjectKey& asked) { return objects.contains(asked.name); });
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = std::to_string(i);
    objects.insert(name);
    queue.add(key(name));
    if (i >= 1'000) {
      const std::string gone = std::to_string(i - 1'000);
      objects.erase(gone);
      queue.add(key(gone));
      queue.add_after(key("run-of-" + gone), 10s);
    }
    ASSERT_LE(queue.size(), 2 * 1'001U);
  }
  std::set<std::string> kept;
  queue.release();
  while (queue.size() > 0) {
    kept.insert(queue.get()->name);
  }
  EXPECT_TRUE(std::includes(kept.begin(), kept.end(), objects.begin(), objects.end()));
}

TEST_F(WorkQueueTest, WhatWasNotedWhileHeldComesAfterWhatIsNewAndWaitedNoTime) {
  EXPECT_FALSE(queue.is_held());
  queue.hold({});
  EXPECT_TRUE(queue.is_held());
  queue.add(key("old"), kPriorityNormal);
  queue.add(key("matched"), kPriorityHigh);
  queue.add(key("matched"), kPriorityLow);
  queue.add_after({"", "scheduler"}, 1h);
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_THAT(metrics_text(), HasSubstr("workqueue_depth{controller=\"task\",name=\"task\"} 0"));
  clock.advance(24h);
  queue.release();
  EXPECT_FALSE(queue.is_held());
  queue.add(key("new"));
  start_workers(1);
  clock.settle();
  EXPECT_THAT(names, UnorderedElementsAre("matched", "new", "old", "scheduler"));
  EXPECT_THAT((std::vector(names.begin(), names.begin() + 2)), ElementsAre("matched", "new"));
  EXPECT_THAT(metrics_text(),
              HasSubstr("workqueue_queue_duration_seconds_sum{controller=\"task\",name=\"task\"} 0\n"));
}

TEST_F(WorkQueueTest, AKeyOfNoObjectIsKeptWhileHeld) {
  queue.hold([](const kube::ObjectKey&) { return false; });
  queue.add({"", "scheduler"});
  for (int i = 0; i < 1'000; ++i) {
    queue.add(key(std::to_string(i)));
  }
  EXPECT_LE(queue.size(), 100U);
  queue.release();
  EXPECT_EQ(queue.get()->namespace_, "");
}

TEST_F(WorkQueueTest, AQueueThatIsShutDownWhileHeldHandsNothingOut) {
  queue.hold({});
  queue.add(key("a"));
  queue.shut_down();
  queue.release();
  EXPECT_EQ(queue.get(), std::nullopt);
  EXPECT_EQ(queue.size(), 0U);
}

// --- Shutting down ---

TEST_F(WorkQueueTest, AfterShutDownNothingIsHandedOutNorTakenIn) {
  queue.add(key("a"));
  queue.shut_down();
  queue.add(key("b"));
  queue.add_after(key("c"), 1s);
  queue.add_rate_limited(key("d"));
  EXPECT_EQ(queue.get(), std::nullopt);
  EXPECT_EQ(queue.size(), 1U);
}

TEST_F(WorkQueueTest, ShutDownWakesEveryWaitingWorker) {
  start_workers(3);
  clock.settle();
  EXPECT_EQ(ended, 0);
  queue.shut_down();
  clock.settle();
  EXPECT_EQ(ended, 3);
}

TEST_F(WorkQueueTest, DoneWithAKeyThatNobodyHasIsHarmless) {
  queue.done(key("a"));
  queue.add(key("a"));
  queue.done(key("a"));
  EXPECT_EQ(queue.size(), 1U);
}

// --- One key ---

TEST_F(WorkQueueTest, AKeyIsHeldOnce) {
  queue.add(key("a"));
  queue.add(key("a"));
  EXPECT_EQ(queue.size(), 1U);
}

TEST_F(WorkQueueTest, ReaddWhileProcessingRunsAgainOnce) {
  queue.add(key("a"));
  EXPECT_EQ(queue.get(), key("a"));
  queue.add(key("a"));
  queue.add(key("a"));
  EXPECT_EQ(queue.size(), 0U);
  queue.done(key("a"));
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.get(), key("a"));
  queue.done(key("a"));
  EXPECT_EQ(queue.size(), 0U);
}

TEST_F(WorkQueueTest, KeysOfTheSameNameInTwoNamespacesAreTwo) {
  queue.add({"a", "x"});
  queue.add({"b", "x"});
  EXPECT_EQ(queue.size(), 2U);
}

// --- Order ---

TEST_F(WorkQueueTest, HigherPrioritiesComeFirstAndEqualOnesInOrder) {
  queue.add(key("low-1"), kPriorityLow);
  queue.add(key("normal-1"));
  queue.add(key("low-2"), kPriorityLow);
  queue.add(key("high"), kPriorityHigh);
  queue.add(key("normal-2"));
  start_workers(1);
  clock.settle();
  EXPECT_THAT(names, ElementsAre("high", "normal-1", "normal-2", "low-1", "low-2"));
}

TEST_F(WorkQueueTest, AWaitingKeyKeepsTheHigherOfBothPriorities) {
  queue.add(key("a"), kPriorityLow);
  queue.add(key("b"));
  queue.add(key("a"), kPriorityHigh);
  queue.add(key("a"), kPriorityLow);
  start_workers(1);
  clock.settle();
  EXPECT_THAT(names, ElementsAre("a", "b"));
}

// --- Delays ---

TEST_F(WorkQueueTest, ADelayedKeyComesWhenItIsDue) {
  start_workers(2);
  queue.add_after(key("a"), 10s);
  clock.advance(9999ms);
  EXPECT_THAT(names, IsEmpty());
  clock.advance(1ms);
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(WorkQueueTest, NoDelayIsAtOnce) {
  queue.add_after(key("a"), 0s);
  EXPECT_EQ(queue.size(), 1U);
}

TEST_F(WorkQueueTest, TheEarlierOfSeveralDelaysWins) {
  start_workers(1);
  queue.add_after(key("a"), 10s);
  queue.add_after(key("a"), 2s);
  queue.add_after(key("a"), 30s);
  clock.advance(2s);
  EXPECT_THAT(names, ElementsAre("a"));
  clock.advance(60s);
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(WorkQueueTest, AChangeMakesTheDelayMoot) {
  start_workers(1);
  queue.add_after(key("a"), 10s);
  queue.add(key("a"));
  clock.advance(60s);
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(WorkQueueTest, ADelayOfAReadyKeyIsIgnored) {
  queue.add(key("a"));
  queue.add_after(key("a"), 10s);
  start_workers(1);
  clock.advance(60s);
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(WorkQueueTest, ADelayThatEndsWhileTheKeyIsProcessedRunsItAgainOnce) {
  queue.add(key("a"));
  EXPECT_EQ(queue.get(), key("a"));
  queue.add_after(key("a"), 1s);
  start_workers(1);
  clock.advance(5s);
  EXPECT_THAT(names, IsEmpty());
  queue.done(key("a"));
  clock.settle();
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(WorkQueueTest, ADelayedKeyIsNotHeldUpByTheWorkerThatKnewOfItBeingBusy) {
  std::vector<std::string> taken;
  const auto busy = clock.make_condition();
  Mutex mutex;
  bool release = false;
  for (int i = 0; i < 2; ++i) {
    workers.push_back(clock.start_thread("worker", [&] {
      while (const auto got = queue.get()) {
        taken.push_back(got->name);
        MutexLock lock(mutex);
        while (got->name == "slow" && !release) {
          busy->wait(mutex);
        }
        queue.done(*got);
      }
    }));
  }
  clock.settle();
  queue.add_after(key("later"), 5s);
  clock.settle();
  queue.add(key("slow"));
  clock.advance(5s);
  EXPECT_THAT(taken, ElementsAre("slow", "later"));
  {
    MutexLock lock(mutex);
    release = true;
    busy->notify_all();
  }
  queue.shut_down();
  workers.clear();
}

// --- Backoff ---

TEST_F(WorkQueueTest, TheBackoffOfAKeyDoublesUntilItIsForgotten) {
  start_workers(1);
  for (const auto delay : {5ms, 10ms, 20ms, 40ms}) {
    names.clear();
    queue.add_rate_limited(key("a"));
    clock.advance(delay - 1ms);
    EXPECT_THAT(names, IsEmpty());
    clock.advance(1ms);
    EXPECT_THAT(names, ElementsAre("a"));
  }
  EXPECT_EQ(queue.failures(key("a")), 4);
  EXPECT_EQ(queue.failures(key("b")), 0);
  queue.forget(key("a"));
  EXPECT_EQ(queue.failures(key("a")), 0);
  names.clear();
  queue.add_rate_limited(key("a"));
  clock.advance(5ms);
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(WorkQueueTest, TheBackoffEndsAtItsMaximum) {
  for (int i = 0; i < 100; ++i) {
    queue.add_rate_limited(key("a"));
    queue.add(key("a"));
    queue.done(*queue.get());
  }
  start_workers(1);
  queue.add_rate_limited(key("a"));
  clock.advance(1000s - 1ms);
  EXPECT_THAT(names, IsEmpty());
  clock.advance(1ms);
  EXPECT_THAT(names, ElementsAre("a"));
}

TEST_F(WorkQueueTest, TheBackoffIsNotShorterThanAskedFor) {
  start_workers(1);
  queue.add_rate_limited(key("a"), kPriorityNormal, 3s);
  clock.advance(2999ms);
  EXPECT_THAT(names, IsEmpty());
  clock.advance(1ms);
  EXPECT_THAT(names, ElementsAre("a"));
}

// --- Metrics ---

TEST_F(WorkQueueTest, MetricsExistAtZero) {
  EXPECT_THAT(metrics_text(), HasSubstr("workqueue_adds_total{controller=\"task\",name=\"task\"} 0"));
  EXPECT_THAT(metrics_text(), HasSubstr("workqueue_retries_total{controller=\"task\",name=\"task\"} 0"));
  EXPECT_THAT(metrics_text(), HasSubstr("workqueue_depth{controller=\"task\",name=\"task\"} 0"));
}

TEST_F(WorkQueueTest, MetricsTellDepthAddsAndRetries) {
  queue.add(key("a"));
  queue.add(key("a"));
  queue.add(key("b"));
  queue.add_rate_limited(key("c"));
  EXPECT_THAT(metrics_text(), HasSubstr("workqueue_depth{controller=\"task\",name=\"task\"} 2"));
  EXPECT_THAT(metrics_text(), HasSubstr("workqueue_adds_total{controller=\"task\",name=\"task\"} 2"));
  EXPECT_THAT(metrics_text(), HasSubstr("workqueue_retries_total{controller=\"task\",name=\"task\"} 1"));
}

TEST_F(WorkQueueTest, MetricsTellHowLongKeysWaitAndAreWorkedOn) {
  queue.add(key("a"));
  clock.advance(2s);
  EXPECT_EQ(queue.get(), key("a"));
  clock.advance(3s);
  queue.add(key("b"));
  EXPECT_THAT(metrics_text(),
              HasSubstr("workqueue_queue_duration_seconds_sum{controller=\"task\",name=\"task\"} 2"));
  EXPECT_THAT(metrics_text(),
              HasSubstr("workqueue_unfinished_work_seconds{controller=\"task\",name=\"task\"} 3"));
  EXPECT_THAT(metrics_text(),
              HasSubstr("workqueue_longest_running_processor_seconds{controller=\"task\",name=\"task\"} 3"));
  queue.done(key("a"));
  EXPECT_THAT(metrics_text(),
              HasSubstr("workqueue_work_duration_seconds_sum{controller=\"task\",name=\"task\"} 3"));
  EXPECT_THAT(metrics_text(),
              HasSubstr("workqueue_unfinished_work_seconds{controller=\"task\",name=\"task\"} 0"));
}

// --- Real threads ---

TEST(WorkQueue, NoKeyIsWithTwoWorkersAtOnceAndNoneIsLost) {
  SystemClock clock;
  prometheus::Registry registry;
  WorkQueueMetrics metrics(registry, "stress");
  WorkQueue queue(clock, metrics, {.base = 1us, .max = 10us});
  constexpr int kKeys = 10;
  constexpr int kTotal = 2000;
  Mutex mutex;
  std::vector<int> with_worker(kKeys);
  bool overlapped = false;
  std::vector<int> last_seen(kKeys, -1);
  std::vector<int> written(kKeys, -1);
  const auto all_seen = clock.make_condition();
  std::vector<std::unique_ptr<Thread>> workers;
  for (int i = 0; i < 4; ++i) {
    workers.push_back(clock.start_thread("worker", [&] {
      while (const auto got = queue.get()) {
        const auto index = static_cast<std::size_t>(std::stoi(got->name));
        {
          MutexLock lock(mutex);
          overlapped |= with_worker[index]++ > 0;
          last_seen[index] = written[index];
        }
        {
          MutexLock lock(mutex);
          --with_worker[index];
          all_seen->notify_all();
        }
        queue.done(*got);
      }
    }));
  }
  for (int i = 0; i < kTotal; ++i) {
    const int index = i % kKeys;
    {
      MutexLock lock(mutex);
      written[static_cast<std::size_t>(index)] = i;
    }
    if (i % 3 == 0) {
      queue.add_rate_limited(key(std::to_string(index)));
    } else {
      queue.add(key(std::to_string(index)));
    }
  }
  {
    MutexLock lock(mutex);
    const MonotonicTime deadline = clock.monotonic_now() + 30s;
    while (last_seen != written && all_seen->wait_until(mutex, deadline)) {
    }
    EXPECT_EQ(last_seen, written);
    EXPECT_FALSE(overlapped);
  }
  queue.shut_down();
}

TEST_F(WorkQueueTest, ManyKeysOfOneNamespaceDoNotDelayTheFewOfAnother) {
  for (int i = 0; i < 10'000; ++i) queue.add({"many", std::to_string(i)});
  for (int i = 0; i < 10; ++i) queue.add({"few", std::to_string(i)});
  int of_few = 0;
  for (int i = 0; i < 20; ++i) {
    const auto got = queue.get();
    of_few += got->namespace_ == "few" ? 1 : 0;
    queue.done(*got);
  }
  EXPECT_EQ(of_few, 10);
}

TEST_F(WorkQueueTest, NamespacesTakeTurnsByWeightWithinAPriority) {
  queue.set_weights({{"heavy", 3}});
  for (int i = 0; i < 100; ++i) {
    queue.add({"heavy", std::to_string(i)});
    queue.add({"light", std::to_string(i)});
  }
  queue.add({"light", "urgent"}, kPriorityHigh);
  EXPECT_EQ(queue.get()->name, "urgent");
  int of_heavy = 0;
  for (int i = 0; i < 40; ++i) of_heavy += queue.get()->namespace_ == "heavy" ? 1 : 0;
  EXPECT_NEAR(of_heavy, 30, 1);
}

TEST_F(WorkQueueTest, AKeyThatBecomesMoreUrgentMovesUpWithinItsNamespace) {
  queue.add({"a", "1"});
  queue.add({"a", "2"});
  queue.add({"b", "3"});
  queue.add({"a", "2"}, kPriorityHigh);
  EXPECT_EQ(queue.get()->name, "2");
  EXPECT_EQ(queue.size(), 2U);
  queue.get();
  queue.get();
  EXPECT_EQ(queue.size(), 0U);
}

}  // namespace
}  // namespace convoke::runtime
