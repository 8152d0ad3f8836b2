#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/task_decide.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::AttemptOutcome;
using api::TaskPhase;
using ::testing::HasSubstr;

TaskDecision decide_blocked(const api::Task& task, const api::LockWait& wait, Duration waited = 1h) {
  TaskSnapshot snapshot{task, {true, api::AgentPhase::Ready}, {}, {}, kNow, "abc", 0.5};
  snapshot.outlook.lock_wait = wait;
  snapshot.outlook.waited = waited;
  return decide(snapshot);
}

TaskDecision decide_with_loss(const api::Task& task, std::optional<std::string> loss) {
  TaskSnapshot snapshot{task, {true, api::AgentPhase::Ready}, {}, {}, kNow, "abc", 0.5};
  snapshot.lock_loss = std::move(loss);
  return decide(snapshot);
}

TEST(DecideLocks, AShortWaitIsNotWritten) {
  const TaskDecision decision = decide_blocked(make_task(), {"deploy", 1, "Task a (Exclusive)"}, 400ms);
  EXPECT_FALSE(decision.status);
  EXPECT_EQ(decision.look_again, 600ms);
}

TEST(DecideLocks, ALongerOneIsShownOnceAndThenOnlyWhenItChanges) {
  api::Task task = make_task();
  TaskDecision decision = decide_blocked(task, {"deploy", 2, "Task a (Exclusive)"});
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_EQ(decision.status->reason, reason::kWaitingForLock);
  EXPECT_EQ(decision.status->message, "waits for lock deploy: position 2, held by Task a (Exclusive)");
  EXPECT_EQ(decision.status->waiting_for_lock, (api::LockWait{"deploy", 2, "Task a (Exclusive)"}));
  EXPECT_EQ(decision.events.size(), 1U);

  task.status = *decision.status;
  decision = decide_blocked(task, {"deploy", 2, "Task a (Exclusive)"});
  EXPECT_FALSE(decision.status);
  decision = decide_blocked(task, {"deploy", 1, "Task b (Exclusive)"});
  EXPECT_EQ(decision.status->waiting_for_lock->position, 1);
  EXPECT_TRUE(decision.events.empty()) << "it is the same wait";
}

TEST(DecideLocks, WhoeverIsNextIsLookedAtOftenAndTheRestRarely) {
  EXPECT_LE(*decide_blocked(make_task(), {"deploy", 1, "x"}).look_again, 15s);
  EXPECT_GE(*decide_blocked(make_task(), {"deploy", 50, "x"}).look_again, 4min);
}

TEST(DecideLocks, WhatWasWaitedForIsForgottenWithTheWait) {
  api::Task task = make_queued(reason::kWaitingForLock);
  task.status.waiting_for_lock = api::LockWait{"deploy", 1, "x"};
  task.spec.cancel = api::Cancel{};
  const TaskDecision decision = decide_with_loss(task, "");
  EXPECT_EQ(decision.status->phase, TaskPhase::Cancelled);
  EXPECT_FALSE(decision.status->waiting_for_lock);
}

TEST(DecideLocks, ALostLockEndsTheAttemptAsALostAgentDoes) {
  api::Task task = make_running();
  TaskDecision decision = decide_with_loss(task, "lock deploy is held by Task b");
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_EQ(decision.status->reason, reason::kRetrying);
  EXPECT_EQ(decision.attempt_ended, AttemptOutcome::LockLost);
  EXPECT_EQ(decision.status->attempts.back().reason, reason::kLockLost);
  EXPECT_EQ(decision.events.front().reason, reason::kLockLost);

  task.spec.retry.on = {api::RetryOn::Failed};
  decision = decide_with_loss(task, "lock deploy is held by Task b");
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kLockLost);

  task.spec.delivery = api::Delivery::AtMostOnce;
  report(task, api::ReportState::Running);
  decision = decide_with_loss(task, "lock deploy is held by Task b");
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kOutcomeUnknown);
  EXPECT_EQ(decision.attempt_ended, AttemptOutcome::LockLost);
}

TEST(DecideLocks, WhatWasReportedInTimeCounts) {
  api::Task task = make_running();
  report(task, api::ReportState::Succeeded);
  EXPECT_EQ(decide_with_loss(task, "lost").status->phase, TaskPhase::Succeeded);
}

TEST(DecideLocks, WhileItCannotBeAskedTheTaskGoesOnAndIsLookedAtSoon) {
  const TaskDecision decision = decide_with_loss(make_running(), {});
  EXPECT_FALSE(decision.status);
  EXPECT_LE(*decision.look_again, 5s);
}

}  // namespace
}  // namespace convoke::task
