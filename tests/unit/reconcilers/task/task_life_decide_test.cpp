// Decisions about a single Task's life: when it starts, how often, with whom, and whose result it has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/task_decide.h"
#include "tests/unit/reconcilers/task/builders.h"
#include "tests/unit/reconcilers/task/snapshots.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::AttemptOutcome;
using api::Delivery;
using api::ReportState;
using api::TaskPhase;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

api::Task once(api::Task task) {
  task.spec.delivery = Delivery::AtMostOnce;
  return task;
}

// Assigned, and the agent has just reported that it runs.
api::Task begun() {
  api::Task task = once(make_assigned());
  report(task, ReportState::Running);
  return task;
}

// --- notBefore ---

TEST(TaskLife, AStartInTheFutureIsWaitedForAndSaid) {
  api::Task task = make_task();
  task.spec.not_before = at(1h);
  const TaskDecision decision = decide(snapshot_of(task));
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_EQ(decision.status->reason, reason::kNotBefore);
  EXPECT_THAT(decision.status->message, HasSubstr(task.spec.not_before));
  EXPECT_EQ(decision.look_again, 1h);
}

TEST(TaskLife, AStartInThePastIsNoObstacle) {
  api::Task task = make_task();
  task.spec.not_before = at(-1h);
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.outlook.reservation = Reservation{"builder-1", 9, 1, {}};
  EXPECT_EQ(decide(snapshot).status->phase, TaskPhase::Assigned);
}

TEST(TaskLife, AStartThatCannotBeReadIsInvalid) {
  api::Task task = make_task();
  task.spec.not_before = "tomorrow";
  const TaskDecision decision = decide(snapshot_of(task));
  EXPECT_EQ(decision.status->reason, reason::kInvalidSpec);
  EXPECT_THAT(decision.status->message, HasSubstr("spec.notBefore"));
}

TEST(TaskLife, AStartBeyondTheDeadlineIsToldInTime) {
  api::Task task = make_task();
  task.spec.not_before = at(25h);
  EXPECT_THAT(decide(snapshot_of(task)).status->message, HasSubstr("set a longer spec.deadline"));
  task.spec.deadline = 48h;
  EXPECT_EQ(decide(snapshot_of(task)).status->message, "is given to nobody before " + at(25h));
}

// --- delivery AtMostOnce ---

TEST(AtMostOnce, ALostAgentThatHadBegunEndsTheTaskAsUnknown) {
  api::Task running = once(make_running());
  for (const api::Task& task : {begun(), running}) {
    TaskSnapshot snapshot = snapshot_of(task);
    snapshot.agent.phase = api::AgentPhase::Offline;
    const TaskDecision decision = decide(snapshot);
    ASSERT_TRUE(decision.status);
    EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
    EXPECT_EQ(decision.status->reason, reason::kOutcomeUnknown);
    EXPECT_EQ(decision.status->attempts.back().outcome, AttemptOutcome::AgentLost);
  }
}

TEST(AtMostOnce, ATimeoutAfterTheStartEndsTheTaskAsUnknown) {
  const api::Task task = begun();
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.now = kNow + 1h;
  const TaskDecision decision = decide(snapshot);
  EXPECT_EQ(decision.status->reason, reason::kOutcomeUnknown);
  EXPECT_EQ(decision.status->attempts.back().outcome, AttemptOutcome::Timeout);
}

TEST(AtMostOnce, BeforeTheStartItIsGivenOutAgain) {
  const api::Task task = once(make_assigned());
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.agent.exists = false;
  EXPECT_EQ(decide(snapshot).status->phase, TaskPhase::Queued);
  api::Task refused = once(make_assigned());
  report(refused, ReportState::Rejected, "not mine");
  EXPECT_EQ(decide(snapshot_of(refused)).status->phase, TaskPhase::Queued);
}

// Announced and withdrawn again: only the reason is left of the report.
api::Task withdrawn() {
  api::Task task = once(make_running());
  report(task, ReportState::None, "connection refused");
  return task;
}

AttemptOutcome lost_outcome(const api::Task& task, bool pulls, const std::string& reason) {
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.agent = {true, api::AgentPhase::Offline, pulls};
  const TaskDecision decision = decide(snapshot);
  EXPECT_EQ(decision.status->reason, reason);
  return decision.status->attempts.back().outcome;
}

TEST(AtMostOnce, WhatWasWithdrawnIsGivenOutAgainThoughItWasShownAsRunning) {
  EXPECT_EQ(lost_outcome(withdrawn(), false, reason::kRetrying), AttemptOutcome::AgentLost);
  api::Task suspended = withdrawn();
  suspended.spec.suspend = true;
  TaskSnapshot snapshot = snapshot_of(suspended);
  snapshot.agent.pulls = false;
  EXPECT_EQ(decide(snapshot).status->phase, TaskPhase::Pending);
}

TEST(AtMostOnce, WhatMayHaveBegunIsNotTakenForWithdrawn) {
  lost_outcome(withdrawn(), true, reason::kOutcomeUnknown);
  api::Task no_report = withdrawn();
  no_report.status.report = {};
  lost_outcome(no_report, false, reason::kOutcomeUnknown);
  api::Task started = withdrawn();
  started.status.report.started_at = at(-5s);
  lost_outcome(started, false, reason::kOutcomeUnknown);
  api::Task announced = withdrawn();
  announced.status.dispatch.assignment_id = kAssignmentId;
  lost_outcome(announced, false, reason::kOutcomeUnknown);
}

TEST(AtMostOnce, AReportedFailureIsFinalAndKeepsItsReason) {
  api::Task task = once(make_running());
  report(task, ReportState::Failed, "disk full");
  const TaskDecision decision = decide(snapshot_of(task));
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kFailed);
  EXPECT_THAT(decision.status->message, HasSubstr("AtMostOnce"));
}

TEST(AtMostOnce, WhoBroughtItMayNotKnowTheOutcomeEither) {
  api::Task task = once(make_running());
  report(task, ReportState::Failed, "the connection broke");
  task.status.report.error_code = "OutcomeUnknown";
  EXPECT_EQ(decide(snapshot_of(task)).status->reason, reason::kOutcomeUnknown);
}

TEST(AtMostOnce, ARejectionAfterTheStartIsFinal) {
  api::Task task = once(make_running());
  report(task, ReportState::Rejected, "changed my mind");
  EXPECT_EQ(decide(snapshot_of(task)).status->reason, reason::kOutcomeUnknown);
}

TEST(AtMostOnce, WhatHasBegunIsNeitherSuspendedNorDelegatedAndSaysSo) {
  for (const bool suspend : {true, false}) {
    api::Task task = once(make_running());
    task.spec.suspend = suspend;
    task.spec.agent_name = suspend ? "" : "builder-2";
    const TaskDecision decision = decide(snapshot_of(task));
    ASSERT_TRUE(decision.status);
    EXPECT_EQ(decision.status->phase, TaskPhase::Running);
    EXPECT_EQ(decision.status->assignment.id, kAssignmentId);
    EXPECT_THAT(decision.status->message, HasSubstr("AtMostOnce"));
    task.status = *decision.status;
    EXPECT_FALSE(decide(snapshot_of(task)).status) << "said once";
    task.spec.suspend = false;
    task.spec.agent_name = "";
    EXPECT_EQ(decide(snapshot_of(task)).status->message, "running on builder-1");
  }
}

// --- Suspend while an agent has it ---

TEST(TaskLife, SuspendingTakesALiveAttemptBackWithoutCountingIt) {
  for (api::Task task : {make_assigned(), make_running()}) {
    task.spec.suspend = true;
    const TaskDecision decision = decide(snapshot_of(task));
    ASSERT_TRUE(decision.status);
    EXPECT_EQ(decision.status->phase, TaskPhase::Pending);
    EXPECT_EQ(decision.status->reason, reason::kSuspended);
    EXPECT_EQ(decision.status->attempt, 0);
    EXPECT_EQ(decision.status->agent_name, "");
    EXPECT_EQ(decision.status->attempts.back().outcome, AttemptOutcome::Suspended);
    EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kSuspended));
  }
}

TEST(TaskLife, AResultThatCameBeforeTheSuspensionCounts) {
  api::Task task = make_running();
  task.spec.suspend = true;
  report(task, ReportState::Succeeded);
  EXPECT_EQ(decide(snapshot_of(task)).status->phase, TaskPhase::Succeeded);
}

// --- Delegation ---

TEST(Delegation, GoesToTheNamedAgentAndIsNoAttempt) {
  api::Task task = make_running();
  task.spec.agent_name = "builder-2";
  const TaskDecision decision = decide(snapshot_of(task));
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_EQ(decision.status->reason, reason::kDelegated);
  EXPECT_EQ(decision.status->message, "given from builder-1 to builder-2, as spec.agentName says");
  EXPECT_EQ(decision.status->delegations, 1);
  EXPECT_EQ(decision.status->attempt, 0);
  EXPECT_EQ(decision.status->attempts.back().outcome, AttemptOutcome::Delegated);
  EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kDelegated));
}

TEST(Delegation, WaitsForAnAgentThatCannotHaveIt) {
  api::Task task = make_running();
  task.spec.agent_name = "builder-2";
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.objection = "does not exist";
  const TaskDecision decision = decide(snapshot);
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Running);
  EXPECT_EQ(decision.status->agent_name, "builder-1");
  EXPECT_EQ(decision.status->message,
            "running on builder-1; it is not given to builder-2 yet: builder-2 does not exist");
  EXPECT_THAT(decision.events, IsEmpty());
}

TEST(Delegation, EndsAtItsLimitWithOneEvent) {
  api::Task task = make_running();
  task.spec.agent_name = "builder-2";
  task.status.delegations = kMaxDelegations;
  const TaskDecision decision = decide(snapshot_of(task));
  EXPECT_EQ(decision.status->phase, TaskPhase::Running);
  EXPECT_EQ(decision.status->agent_name, "builder-1");
  EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kDelegationLimit));
  task.status = *decision.status;
  EXPECT_THAT(decide(snapshot_of(task)).events, IsEmpty());
}

TEST(Delegation, IsNotMeantByClearingTheNameOrNamingTheSameAgent) {
  for (const char* name : {"", "builder-1"}) {
    api::Task task = make_running();
    task.spec.agent_name = name;
    EXPECT_FALSE(decide(snapshot_of(task)).status) << name;
  }
}

// --- idempotencyKey ---

TEST(Duplicate, WaitsForTheFirstEvenIfAnAgentIsHeldForIt) {
  const api::Task task = make_task("second");
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.first = std::make_shared<api::Task>(make_task("first"));
  snapshot.outlook.reservation = Reservation{"builder-1", 9, 1, {}};
  const TaskDecision decision = decide(snapshot);
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_EQ(decision.status->reason, reason::kDuplicateOf);
  EXPECT_THAT(decision.status->message, HasSubstr("Task first"));
}

TEST(Duplicate, TakesTheResultOfTheFirst) {
  const api::Task task = make_task("second");
  auto first = make_running();
  first.meta.name = "first";
  first.status.phase = TaskPhase::Succeeded;
  first.status.report.outputs = R"({"n":1})";
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.first = std::make_shared<api::Task>(first);
  const TaskDecision decision = decide(snapshot);
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Succeeded);
  EXPECT_EQ(decision.status->result_from, "first");
  EXPECT_EQ(decision.status->report.raw, R"({"outputs":{"n":1},"state":"Succeeded"})");
  EXPECT_THAT(decision.status->attempts, IsEmpty());

  first.status.result_from = "very-first";
  snapshot.first = std::make_shared<api::Task>(first);
  EXPECT_EQ(decide(snapshot).status->result_from, "very-first");
}

TEST(Duplicate, StaysSuspendedAndCanBeCancelled) {
  api::Task task = make_task("second");
  task.spec.suspend = true;
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.first = std::make_shared<api::Task>(make_task("first"));
  EXPECT_EQ(decide(snapshot).status->reason, reason::kSuspended);
  task.spec.cancel = api::Cancel{};
  EXPECT_EQ(decide(snapshot).status->phase, TaskPhase::Cancelled);
}

}  // namespace
}  // namespace convoke::task
