#include "reconcilers/dispatch/dispatch_plan.h"

#include <gtest/gtest.h>

namespace convoke::dispatch {
namespace {

using api::AttemptOutcome;
using api::TaskPhase;

struct Case {
  api::Task task;
  api::Agent agent;
  std::string begun_here;

  Case() {
    agent.spec.dispatch.mode = api::DispatchMode::HTTP;
    task.status.phase = TaskPhase::Assigned;
    task.status.agent_name = "a";
    task.status.assignment.id = "id-1";
  }
  Case& brought(const std::string& id = "id-1") {
    task.status.dispatch = {id, "a", "", "", ""};
    return *this;
  }
  Case& accepted(const std::string& location) {
    brought();
    task.status.dispatch.accepted_at = "2026-01-01T00:00:00Z";
    task.status.dispatch.location = location;
    return *this;
  }
  Case& ended(AttemptOutcome outcome) {
    brought();
    task.status.phase = TaskPhase::Queued;
    task.status.attempts.push_back({1, "a", "id-1", outcome, "", "", "", "", ""});
    return *this;
  }
  Step step() const { return plan({task, &agent, begun_here}); }
};

TEST(DispatchPlan, ANewAssignmentIsAnnouncedFirst) {
  EXPECT_EQ(Case().step(), Step::Begin);
  EXPECT_EQ(Case().brought("id-0").step(), Step::Begin);
}

TEST(DispatchPlan, AnAgentThatPullsIsLeftAlone) {
  Case pulls;
  pulls.agent.spec.dispatch.mode = api::DispatchMode::Pull;
  EXPECT_EQ(pulls.step(), Step::Nothing);
  EXPECT_EQ(plan({Case().task, nullptr, ""}), Step::Nothing);
}

TEST(DispatchPlan, AfterARestartOnlyAtLeastOnceIsSentAgain) {
  Case restarted = Case().brought();
  EXPECT_EQ(restarted.step(), Step::Send);
  restarted.task.spec.delivery = api::Delivery::AtMostOnce;
  EXPECT_EQ(restarted.step(), Step::OutcomeUnknown);
  restarted.begun_here = "id-1";
  EXPECT_EQ(restarted.step(), Step::Send);
}

TEST(DispatchPlan, AcceptedWorkIsAskedForOrAwaited) {
  EXPECT_EQ(Case().accepted("http://h/1").step(), Step::Ask);
  EXPECT_EQ(Case().accepted("").step(), Step::AwaitReport);
}

TEST(DispatchPlan, AReportedEndNeedsNothing) {
  Case ended = Case().brought();
  ended.task.status.report.assignment_id = "id-1";
  ended.task.status.report.state = api::ReportState::Failed;
  EXPECT_EQ(ended.step(), Step::Nothing);
  ended.task.status.report.assignment_id = "id-0";
  EXPECT_EQ(ended.step(), Step::Send);
}

TEST(DispatchPlan, WhatWasTakenAwayIsStopped) {
  for (const auto outcome :
       {AttemptOutcome::Timeout, AttemptOutcome::Cancelled, AttemptOutcome::AgentLost,
        AttemptOutcome::Delegated, AttemptOutcome::Suspended, AttemptOutcome::LockLost}) {
    EXPECT_EQ(Case().ended(outcome).step(), Step::Stop) << to_string(outcome);
  }
  for (const auto outcome : {AttemptOutcome::Succeeded, AttemptOutcome::Failed, AttemptOutcome::Rejected}) {
    EXPECT_EQ(Case().ended(outcome).step(), Step::Nothing) << to_string(outcome);
  }
}

TEST(DispatchPlan, TheFormerAssignmentKeepsTheNextOneNotWaiting) {
  Case again = Case().ended(AttemptOutcome::Timeout);
  again.task.status.phase = TaskPhase::Assigned;
  again.task.status.assignment.id = "id-2";
  EXPECT_TRUE(must_be_stopped(again.task));
  EXPECT_EQ(again.step(), Step::Begin);
}

TEST(DispatchPlan, WhatWasWithdrawnIsBegunAnewAndWhatAnAgentCameForIsNot) {
  Case once;
  once.task.spec.delivery = api::Delivery::AtMostOnce;
  once.task.status.report.assignment_id = "id-1";
  once.task.status.report.message = "not reached";
  EXPECT_EQ(once.step(), Step::Begin);
  once.task.status.report.state = api::ReportState::Running;
  EXPECT_EQ(once.step(), Step::AwaitReport);
}

TEST(DispatchPlan, ADeletedTaskIsStopped) {
  Case deleted = Case().brought();
  deleted.task.meta.deletion_timestamp = "2026-01-01T00:00:00Z";
  EXPECT_EQ(deleted.step(), Step::Stop);
}

TEST(TimeLeft, IsTheLesserOfTimeoutAndDeadline) {
  api::Task task;
  task.meta.creation_timestamp = "2026-01-01T00:00:00Z";
  task.status.assigned_at = "2026-01-01T00:10:00Z";
  task.spec.timeout = std::chrono::minutes(30);
  task.spec.deadline = std::chrono::hours(24);
  const WallTime now(std::chrono::seconds(1'767'225'600 + 20 * 60));
  EXPECT_EQ(time_left(task, now), std::chrono::minutes(20));
  task.spec.deadline = std::chrono::minutes(21);
  EXPECT_EQ(time_left(task, now), std::chrono::minutes(1));
  task.spec.deadline = std::chrono::minutes(1);
  EXPECT_EQ(time_left(task, now), Duration::zero());
}

}  // namespace
}  // namespace convoke::dispatch
