#include "reconcilers/task/aging.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;

TEST(Aging, RaisesThePriorityStepByStepUpToTheHighest) {
  api::Task task = make_task();
  task.spec.priority = 2;
  task.meta.creation_timestamp = at(0s);
  EXPECT_EQ(effective_priority(task, 30min, kNow + 29min), 2);
  EXPECT_EQ(until_next_step(task, 30min, kNow + 29min), 1min);
  EXPECT_EQ(effective_priority(task, 30min, kNow + 30min), 3);
  EXPECT_EQ(until_next_step(task, 30min, kNow + 30min), 30min);
  EXPECT_EQ(effective_priority(task, 30min, kNow + 24h), 5);
  EXPECT_FALSE(until_next_step(task, 30min, kNow + 24h));
}

TEST(Aging, CountsFromWhenTheTaskWasQueuedLast) {
  api::Task task = make_queued();
  task.meta.creation_timestamp = at(-24h);
  task.status.queued_at = at(-31min);
  EXPECT_EQ(effective_priority(task, 30min, kNow), 4);
}

TEST(Aging, IsOffAtZeroAndHarmlessWithWrongTimes) {
  api::Task task = make_task();
  task.meta.creation_timestamp = at(-24h);
  EXPECT_EQ(effective_priority(task, 0s, kNow), 3);
  EXPECT_FALSE(until_next_step(task, 0s, kNow));
  task.meta.creation_timestamp = "garbage";
  EXPECT_EQ(effective_priority(task, 30min, kNow), 3);
  task.meta.creation_timestamp = at(24h);
  EXPECT_EQ(effective_priority(task, 30min, kNow), 3);
}

}  // namespace
}  // namespace convoke::task
