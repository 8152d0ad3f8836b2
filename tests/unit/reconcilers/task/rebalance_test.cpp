#include "reconcilers/task/rebalance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/demand.h"
#include "tests/unit/reconcilers/task/builders.h"
#include "tests/unit/reconcilers/task/snapshots.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::AgentPhase;
using api::AttemptOutcome;
using api::ReportState;
using api::TaskPhase;

TaskSnapshot overdue(const api::Task& task) {
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.now = kNow + 20s;  // it was assigned 30 s before
  snapshot.room_elsewhere = true;
  return snapshot;
}

TEST(Rebalance, WhatALostOrCordonedAgentDidNotBeginIsOfferedAtOnceAndIsNoAttempt) {
  const api::Task task = make_assigned();
  for (const AgentState agent : {AgentState{false, {}}, AgentState{true, AgentPhase::Offline},
                                 AgentState{true, AgentPhase::Draining}}) {
    const TaskDecision decision = decide(snapshot_of(task, agent));
    ASSERT_TRUE(decision.status);
    EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
    EXPECT_EQ(decision.status->reason, reason::kRebalanced);
    EXPECT_EQ(decision.attempt_ended, AttemptOutcome::Rebalanced);
    EXPECT_EQ(decision.status->attempt, 0);
    EXPECT_EQ(decision.status->retry_at, "");
    EXPECT_EQ(decision.status->agent_name, "");
  }
}

TEST(Rebalance, WhatItBeganStaysWhileItDrainsAndIsLostWithIt) {
  api::Task task = make_assigned();
  report(task, ReportState::Running);
  EXPECT_FALSE(move_away(snapshot_of(task, {true, AgentPhase::Draining}), {}));
  EXPECT_EQ(decide(snapshot_of(task, {true, AgentPhase::Offline})).attempt_ended, AttemptOutcome::AgentLost);
}

TEST(Rebalance, AReportForAnotherAssignmentIsNoBeginning) {
  api::Task task = make_assigned();
  report(task, ReportState::Running);
  task.status.report.assignment_id = "another";
  EXPECT_TRUE(move_away(snapshot_of(task, {true, AgentPhase::Draining}), {}));
}

TEST(Rebalance, AnAgentThatDoesNotBeginLosesTheTaskToOneThatHasRoom) {
  const api::Task task = make_assigned();
  const TaskDecision decision = decide(overdue(task));
  EXPECT_EQ(decision.attempt_ended, AttemptOutcome::Rebalanced);
  EXPECT_EQ(decision.status->attempts.back().reason, reason::kNotStarted);

  TaskSnapshot nobody = overdue(task);
  nobody.room_elsewhere = false;
  EXPECT_FALSE(decide(nobody).status);
  EXPECT_EQ(decide(nobody).look_again, 30s);
  TaskSnapshot early = overdue(task);
  early.now = kNow + 19s;
  EXPECT_FALSE(decide(early).status);
  EXPECT_EQ(decide(early).look_again, 1s);
}

TEST(Rebalance, ItIsOffAtZero) {
  const api::Task task = make_assigned();
  TaskTiming timing;
  timing.rebalance_after = 0s;
  EXPECT_FALSE(decide(overdue(task), timing).status);
  EXPECT_FALSE(until_overdue(task.spec, task.status, timing, kNow));
}

TEST(Rebalance, APinnedTaskIsNeverMoved) {
  api::Task task = make_assigned();
  task.spec.agent_name = "builder-1";
  EXPECT_FALSE(decide(overdue(task)).status);
  EXPECT_EQ(decide(snapshot_of(task, {true, AgentPhase::Offline})).attempt_ended, AttemptOutcome::AgentLost);
}

TEST(Rebalance, ItIsBoundedInARow) {
  api::Task task = make_assigned();
  for (int i = 0; i < kMaxMoves; ++i) {
    api::AttemptRecord record;
    record.outcome = AttemptOutcome::Rebalanced;
    task.status.attempts.push_back(record);
  }
  EXPECT_FALSE(decide(overdue(task)).status);
  EXPECT_EQ(decide(snapshot_of(task, {true, AgentPhase::Offline})).attempt_ended, AttemptOutcome::AgentLost);
  task.status.attempts.back().outcome = AttemptOutcome::Failed;
  EXPECT_EQ(decide(overdue(task)).attempt_ended, AttemptOutcome::Rebalanced);
}

TEST(Rebalance, TheAgentThatDidNotBeginIsAskedLast) {
  api::Task task = make_queued();
  api::AttemptRecord record;
  record.agent_name = "slow";
  record.outcome = AttemptOutcome::Rebalanced;
  record.reason = reason::kNotStarted;
  task.status.attempts.push_back(record);
  record.agent_name = "cordoned";
  record.reason = reason::kCordoned;
  task.status.attempts.push_back(record);
  const Demand demand = demand_of(task, kNow);
  EXPECT_THAT(demand.offer.excluded, ::testing::ElementsAre("slow"));
  EXPECT_TRUE(demand.offer.reoffer);
}

}  // namespace
}  // namespace convoke::task
