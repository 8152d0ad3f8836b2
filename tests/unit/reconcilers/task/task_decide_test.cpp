#include "reconcilers/task/task_decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"
#include "tests/unit/reconcilers/task/snapshots.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::AttemptOutcome;
using api::ReportState;
using api::TaskPhase;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TaskDecision decide_at(const api::Task& task, Duration offset) {
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.now = kNow + offset;
  return decide(snapshot);
}

TaskDecision decide_now(const api::Task& task) {
  return decide_at(task, 0s);
}

TaskDecision decide_waiting(const api::Task& task, Verdict verdict, Duration waited = 0s) {
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.outlook.explanation = Explanation{verdict, {{"builder-1", "lacks capability compile"}}};
  snapshot.outlook.waited = waited;
  return decide(snapshot);
}

TaskDecision decide_matched(const api::Task& task) {
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.outlook.reservation = Reservation{"builder-2", 9, 3, {{"builder-1", "is Offline"}}};
  return decide(snapshot);
}

// --- Specs that cannot work ---

TEST(TaskDecide, AMalformedTaskWaitsForAPerson) {
  api::Task task = make_task();
  task.malformed = {"spec.priority: expected an integer, got a string"};
  const TaskDecision decision = decide_now(task);
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Pending);
  EXPECT_EQ(decision.status->reason, reason::kInvalidSpec);
  EXPECT_TRUE(api::find_condition(decision.status->conditions, "Stalled")->status);
  EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kInvalidSpec));
  EXPECT_FALSE(decision.look_again);

  task.status = *decision.status;
  const TaskDecision again = decide_now(task);
  EXPECT_FALSE(again.status);
  EXPECT_THAT(again.events, IsEmpty());
}

TEST(TaskDecide, AMalformedTaskHealsWhenItIsEdited) {
  api::Task task = make_task();
  task.malformed = {"spec.priority: expected an integer, got a string"};
  task.status = *decide_now(task).status;
  task.malformed.clear();
  task.meta.generation = 2;
  const TaskDecision decision = decide_matched(task);
  EXPECT_EQ(decision.status->phase, TaskPhase::Assigned);
  EXPECT_FALSE(api::find_condition(decision.status->conditions, "Stalled")->status);
  EXPECT_EQ(decision.status->observed_generation, 2);
}

TEST(TaskDecide, ATaskThatRunsGoesOnWhenItsSpecIsBroken) {
  api::Task task = make_running();
  task.malformed = {"spec.priority: expected an integer, got a string"};
  EXPECT_FALSE(decide_now(task).status);
}

// --- Nobody to do it ---

TEST(TaskDecide, WithoutAnEligibleAgentItIsQueuedAtOnceAndSaysWhy) {
  api::Task task = make_task();
  const TaskDecision decision = decide_waiting(task, Verdict::NoEligibleAgent);
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_EQ(decision.status->reason, reason::kNoEligibleAgent);
  EXPECT_EQ(decision.status->message, "no agent can take it: builder-1 lacks capability compile");
  EXPECT_THAT(decision.status->assignment.rejected, SizeIs(1));
  EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kNoEligibleAgent));

  task.status = *decision.status;
  const TaskDecision again = decide_waiting(task, Verdict::NoEligibleAgent);
  EXPECT_FALSE(again.status);
  EXPECT_THAT(again.events, IsEmpty());
  ASSERT_TRUE(again.look_again);
  EXPECT_GE(*again.look_again, 4min);
}

TEST(TaskDecide, AnEmptyNamespaceIsSaidInWords) {
  EXPECT_EQ(decide_waiting(make_task(), Verdict::NoAgents).status->message,
            "there is no agent in namespace default");
}

TEST(TaskDecide, WhileAgentsAreOnlyBusyTheWriteIsPutOff) {
  const api::Task task = make_task();
  const TaskDecision early = decide_waiting(task, Verdict::AgentsBusy, 300ms);
  EXPECT_FALSE(early.status);
  EXPECT_EQ(early.look_again, 700ms);
  const TaskDecision late = decide_waiting(task, Verdict::AgentsBusy, 1s);
  ASSERT_TRUE(late.status);
  EXPECT_EQ(late.status->reason, reason::kAgentsBusy);
  EXPECT_THAT(late.events, IsEmpty());
}

TEST(TaskDecide, WithOnlyRejectersItIsLookedAtWhenTheyMayBeAskedAgain) {
  api::Task task = make_queued(reason::kRejected);
  task.status.attempts = {rejection("builder-1", -400ms)};
  const TaskDecision decision = decide_waiting(task, Verdict::OnlyRejecters);
  EXPECT_EQ(decision.status->reason, reason::kNoEligibleAgent);
  EXPECT_EQ(decision.look_again, 600ms);
}

// --- Assignment ---

TEST(TaskDecide, AMatchLeadsFromPendingToAssignedInOneWrite) {
  const TaskDecision decision = decide_matched(make_task());
  ASSERT_TRUE(decision.status);
  const api::TaskStatus& status = *decision.status;
  EXPECT_EQ(status.phase, TaskPhase::Assigned);
  EXPECT_EQ(status.attempt, 1);
  EXPECT_EQ(status.agent_name, "builder-2");
  EXPECT_EQ(status.assignment.id, "uid-buil-1-abc");
  EXPECT_EQ(status.assignment.strategy, "CapabilityMatch");
  EXPECT_EQ(status.assignment.score, "9");
  EXPECT_EQ(status.assignment.candidates, 3);
  EXPECT_THAT(status.assignment.rejected, SizeIs(1));
  EXPECT_EQ(status.queued_at, at(0s));
  EXPECT_EQ(status.assigned_at, at(0s));
  ASSERT_THAT(decision.events, SizeIs(1));
  EXPECT_EQ(decision.events[0].note,
            "assigned to builder-2 (CapabilityMatch, score 9, 3 candidates); rejected: builder-1 is Offline");
  EXPECT_EQ(decision.look_again, 30s) << "when the agent should have begun";
}

TEST(TaskDecide, AnAssignmentNamesItsStrategyAndAtMostThreeOfTheRejected) {
  const api::Task task = make_task();
  TaskSnapshot snapshot = snapshot_of(task);
  std::vector<api::RejectedAgent> rejected;
  for (const char* name : {"a", "b", "c", "d"}) {
    rejected.push_back({name, "is cordoned"});
  }
  snapshot.outlook.reservation = Reservation{"e", 0.012, 1, rejected, api::Strategy::CostOptimized};
  const TaskDecision decision = decide(snapshot);
  EXPECT_EQ(decision.status->assignment.strategy, "CostOptimized");
  EXPECT_EQ(decision.status->assignment.score, "0.012");
  EXPECT_EQ(decision.status->assignment.rejected, rejected);
  EXPECT_EQ(decision.events[0].note,
            "assigned to e (CostOptimized, cost 0.012, 1 candidate); rejected: a is cordoned; b is cordoned; "
            "c is cordoned; and others");
}

TEST(TaskDecide, ARuleThatDoesNotCompileWaitsForAPerson) {
  api::Task task = make_task();
  task.spec.requires_.rule = "agent.spec.capacity >";
  const TaskDecision decision = decide_now(task);
  EXPECT_EQ(decision.status->phase, TaskPhase::Pending);
  EXPECT_EQ(decision.status->reason, reason::kInvalidSpec);
  EXPECT_THAT(decision.status->message, ::testing::HasSubstr("spec.requires.rule: line 1, column 22: "));
  EXPECT_TRUE(api::find_condition(decision.status->conditions, api::condition::kStalled)->status);
}

TEST(TaskDecide, ATaskWhoseStatusWasWipedStartsAnew) {
  api::Task task = make_running();
  task.status = {};
  const TaskDecision decision = decide_matched(task);
  EXPECT_EQ(decision.status->phase, TaskPhase::Assigned);
  EXPECT_EQ(decision.status->attempt, 1);
}

TEST(TaskDecide, AMatchIsNotUsedBeforeTheRetryIsDue) {
  api::Task task = make_queued(reason::kRetrying);
  task.status.retry_at = at(3s);
  const TaskDecision decision = decide_matched(task);
  EXPECT_FALSE(decision.status);
  EXPECT_EQ(decision.look_again, 3s);
}

// --- Suspend, cancel, deadline, deletion, in every phase ---

TEST(TaskDecide, SuspendingKeepsWhatWaitsFromBeingAssigned) {
  for (api::Task task : {make_task(), make_queued()}) {
    task.spec.suspend = true;
    const TaskDecision decision = decide_matched(task);
    EXPECT_EQ(decision.status->phase, TaskPhase::Pending);
    EXPECT_EQ(decision.status->reason, reason::kSuspended);
  }
}

TEST(TaskDecide, AFailureIsRecordedAsOneEvenIfTheTaskIsSuspended) {
  api::Task task = make_running();
  task.spec.suspend = true;
  report(task, ReportState::Failed, "broken");
  const TaskDecision decision = decide_now(task);
  EXPECT_EQ(decision.status->phase, TaskPhase::Pending);
  EXPECT_EQ(decision.status->reason, reason::kSuspended);
  EXPECT_THAT(decision.status->attempts, SizeIs(1));
}

TEST(TaskDecide, ATaskThatIsResumedBeforeItsRetryIsDueIsQueued) {
  api::Task task = make_queued();
  task.status.phase = TaskPhase::Pending;
  task.status.reason = reason::kSuspended;
  task.status.retry_at = at(3s);
  EXPECT_EQ(decide_now(task).status->phase, TaskPhase::Queued);
}

TEST(TaskDecide, CancellingEndsWhateverIsNotYetFinished) {
  for (api::Task task : {make_task(), make_queued(), make_assigned(), make_running()}) {
    task.spec.cancel = api::Cancel{"not needed"};
    const bool live = !task.status.agent_name.empty();
    const TaskDecision decision = decide_now(task);
    EXPECT_EQ(decision.status->phase, TaskPhase::Cancelled);
    EXPECT_EQ(decision.status->message, "cancelled: not needed");
    EXPECT_EQ(decision.status->attempts.size(), live ? 1U : 0U);
    EXPECT_EQ(decision.status->agent_name, live ? "builder-1" : "");
    EXPECT_EQ(decision.status->completed_at, at(0s));
    EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kCancelled));
  }
}

TEST(TaskDecide, AMalformedTaskCanBeCancelled) {
  api::Task task = make_task();
  task.malformed = {"spec.priority: expected an integer, got a string"};
  task.spec.cancel = api::Cancel{};
  EXPECT_EQ(decide_now(task).status->phase, TaskPhase::Cancelled);
}

TEST(TaskDecide, TheDeadlineEndsEveryPhase) {
  for (api::Task task : {make_task(), make_queued(), make_assigned(), make_running()}) {
    task.spec.deadline = 1min;
    const TaskDecision decision = decide_matched(task);
    EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
    EXPECT_EQ(decision.status->reason, reason::kDeadlineExceeded);
    EXPECT_EQ(decision.status->message, "not finished within 1m of its creation");
  }
}

TEST(TaskDecide, ATaskThatIsBeingDeletedIsLeftAlone) {
  api::Task task = make_running();
  task.meta.deletion_timestamp = at(0s);
  report(task, ReportState::Succeeded);
  const TaskDecision decision = decide_now(task);
  EXPECT_FALSE(decision.status);
  EXPECT_FALSE(decision.look_again);
}

// --- Reports ---

TEST(TaskDecide, AReportForAnotherAssignmentIsIgnored) {
  for (const char* id : {"", "uid-buil-0-old"}) {
    api::Task task = make_assigned();
    report(task, ReportState::Succeeded);
    task.status.report.assignment_id = id;
    EXPECT_FALSE(decide_now(task).status);
  }
}

TEST(TaskDecide, RunningIsWrittenOnlyWhenTheAttemptIsNotShort) {
  api::Task task = make_assigned();
  report(task, ReportState::Running);
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.report_seen_for = 100ms;
  const TaskDecision early = decide(snapshot);
  EXPECT_FALSE(early.status);
  EXPECT_EQ(early.look_again, 200ms);
  snapshot.report_seen_for = 300ms;
  const TaskDecision late = decide(snapshot);
  ASSERT_TRUE(late.status);
  EXPECT_EQ(late.status->phase, TaskPhase::Running);
  EXPECT_EQ(late.status->report, task.status.report);
}

TEST(TaskDecide, TheAgentsOwnStartTimeIsTakenOver) {
  api::Task task = make_assigned();
  report(task, ReportState::Running);
  task.status.report.started_at = "2026-01-01T11:59:55Z";
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.report_seen_for = 1s;
  EXPECT_EQ(decide(snapshot).status->started_at, at(-5s));
  task.status.report.started_at = "lunch";
  EXPECT_EQ(decide(snapshot).status->started_at, task.status.assigned_at);
}

TEST(TaskDecide, SuccessComesFromAssignedAndFromRunning) {
  for (api::Task task : {make_assigned(), make_running()}) {
    report(task, ReportState::Succeeded);
    const TaskDecision decision = decide_now(task);
    ASSERT_TRUE(decision.status);
    EXPECT_EQ(decision.status->phase, TaskPhase::Succeeded);
    EXPECT_EQ(decision.status->report, task.status.report);
    EXPECT_EQ(decision.attempt_ended, AttemptOutcome::Succeeded);
    ASSERT_THAT(decision.events, SizeIs(1));
    EXPECT_EQ(decision.events[0].note, "finished by builder-1 after 10s");
  }
}

TEST(TaskDecide, AStepOfARunSucceedsWithoutAnEvent) {
  api::Task task = make_running();
  task.meta.owner_references = {{"convoke.dev/v1alpha1", "WorkflowRun", "run", "uid-run", true, true}};
  report(task, ReportState::Succeeded);
  EXPECT_THAT(decide_now(task).events, IsEmpty());
}

TEST(TaskDecide, ASuccessThatArrivedCountsEvenAfterTheDeadline) {
  api::Task task = make_running();
  task.spec.deadline = 1min;
  report(task, ReportState::Succeeded);
  EXPECT_EQ(decide_now(task).status->phase, TaskPhase::Succeeded);
}

TEST(TaskDecide, TooLargeOutputsFailTheTaskForGood) {
  api::Task task = make_running();
  report(task, ReportState::Succeeded);
  const std::string big(kMaxOutputBytes, 'x');
  task.status.report.outputs = R"({"a":")" + big + R"("})";
  task.status.report.raw =
      R"({"assignmentID":"uid-buil-1-abc","outputs":)" + task.status.report.outputs + "}";
  const TaskDecision decision = decide_now(task);
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kOutputTooLarge);
  EXPECT_THAT(decision.status->message, HasSubstr("65544 bytes"));
  EXPECT_EQ(decision.status->report.raw, R"({"assignmentID":"uid-buil-1-abc"})");
}

// --- Attempts that do not succeed ---

TEST(TaskDecide, AFailureIsTriedAgainAfterABackoff) {
  api::Task task = make_running();
  report(task, ReportState::Failed);
  task.status.report.error_code = "exit 2";
  task.status.report.error_message = "make: *** no rule";
  const TaskDecision decision = decide_now(task);
  const api::TaskStatus& status = *decision.status;
  EXPECT_EQ(status.phase, TaskPhase::Queued);
  EXPECT_EQ(status.reason, reason::kRetrying);
  EXPECT_EQ(status.message,
            "attempt 1 of 4 ended with Failed (exit 2: make: *** no rule); the next one starts in 5s");
  EXPECT_EQ(status.retry_at, at(5s));
  EXPECT_EQ(status.attempt, 1);
  EXPECT_EQ(status.agent_name, "");
  ASSERT_THAT(status.attempts, SizeIs(1));
  EXPECT_EQ(status.attempts[0].agent_name, "builder-1");
  EXPECT_EQ(status.attempts[0].assignment_id, kAssignmentId);
  EXPECT_EQ(status.attempts[0].finished_at, at(0s));
  EXPECT_EQ(decision.look_again, 5s);
  EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kRetrying));

  api::Task again = task;
  again.status = status;
  TaskSnapshot snapshot = snapshot_of(again);
  snapshot.now = kNow + 5s;
  snapshot.outlook.reservation = Reservation{"builder-1", 10, 1, {}};
  EXPECT_EQ(decide(snapshot).status->attempt, 2);
}

TEST(TaskDecide, TheBackoffIsJitteredByATenth) {
  api::Task task = make_running();
  report(task, ReportState::Failed);
  TaskSnapshot snapshot = snapshot_of(task);
  snapshot.jitter = 0;
  EXPECT_EQ(decide(snapshot).status->retry_at, at(4500ms));
  snapshot.jitter = 0.75;
  EXPECT_EQ(decide(snapshot).status->retry_at, at(5250ms));
}

TEST(TaskDecide, WithoutRetriesLeftItFailsAndSaysHowManyAttemptsThereWere) {
  api::Task task = make_running();
  task.spec.retry.limit = 2;
  task.status.attempt = 3;
  report(task, ReportState::Failed, "broken");
  const TaskDecision decision = decide_now(task);
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kFailed);
  EXPECT_EQ(decision.status->message, "broken (attempt 3 of 3)");
  EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kFailed));
}

TEST(TaskDecide, AFailureThatTheAgentCallsFinalIsNotTriedAgain) {
  api::Task task = make_running();
  report(task, ReportState::Failed, "no such file");
  task.status.report.error_retryable = false;
  EXPECT_EQ(decide_now(task).status->phase, TaskPhase::Failed);
}

TEST(TaskDecide, OnlyTheCausesOfThePolicyAreTriedAgain) {
  api::Task task = make_running();
  task.spec.retry.on = {api::RetryOn::Timeout};
  report(task, ReportState::Failed);
  EXPECT_EQ(decide_now(task).status->phase, TaskPhase::Failed);
  EXPECT_EQ(decide_at(make_running(), 1h).status->reason, reason::kRetrying);
}

TEST(TaskDecide, AnAttemptThatTakesTooLongIsGivenUp) {
  const api::Task task = make_running();
  EXPECT_EQ(decide_now(task).look_again, 1h - 10s);
  const TaskDecision decision = decide_at(task, 1h - 10s);
  EXPECT_EQ(decision.attempt_ended, AttemptOutcome::Timeout);
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_THAT(decision.status->message, HasSubstr("not finished within 1h"));
}

TEST(TaskDecide, AnAssignmentFromTheFutureCountsAsNow) {
  api::Task task = make_assigned();
  task.status.assigned_at = at(2h);
  const TaskDecision decision = decide_now(task);
  EXPECT_FALSE(decision.status);
  EXPECT_EQ(decision.look_again, 30s) << "when it should have begun";
}

TEST(TaskDecide, ALostAgentLosesTheAttempt) {
  const api::Task task = make_running();
  TaskSnapshot snapshot = snapshot_of(task);
  for (const AgentState agent : {AgentState{false, {}}, AgentState{true, api::AgentPhase::Offline}}) {
    snapshot.agent = agent;
    const TaskDecision decision = decide(snapshot);
    EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
    EXPECT_EQ(decision.attempt_ended, AttemptOutcome::AgentLost);
    EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kAgentLost, reason::kRetrying));
  }
}

TEST(TaskDecide, ADrainingOrForgottenAgentKeepsWhatItHas) {
  const api::Task task = make_running();
  TaskSnapshot snapshot = snapshot_of(task);
  for (const api::AgentPhase phase : {api::AgentPhase::Draining, api::AgentPhase::Pending}) {
    snapshot.agent = {true, phase};
    EXPECT_FALSE(decide(snapshot).status);
  }
}

TEST(TaskDecide, AnAssignmentThatWasWipedByHandIsLost) {
  api::Task task = make_running();
  task.status.assignment = {};
  EXPECT_EQ(decide_now(task).attempt_ended, AttemptOutcome::AgentLost);
  task = make_running();
  task.status.agent_name.clear();
  EXPECT_EQ(decide_now(task).attempt_ended, AttemptOutcome::AgentLost);
}

TEST(TaskDecide, ARejectionGoesBackToTheQueueAndIsNoAttempt) {
  api::Task task = make_assigned();
  report(task, ReportState::Rejected, "disk full");
  const TaskDecision decision = decide_now(task);
  EXPECT_EQ(decision.status->phase, TaskPhase::Queued);
  EXPECT_EQ(decision.status->reason, reason::kRejected);
  EXPECT_EQ(decision.status->message, "builder-1 rejected it: disk full");
  EXPECT_EQ(decision.status->attempt, 0);
  EXPECT_EQ(decision.status->retry_at, "");
  EXPECT_EQ(decision.status->attempts.back().outcome, AttemptOutcome::Rejected);
  EXPECT_THAT(event_reasons(decision), ElementsAre(reason::kRejected));
}

TEST(TaskDecide, ManyRejectionsInARowSlowTheTaskDown) {
  api::Task task = make_assigned();
  task.status.attempts = {rejection("a", -3s), rejection("b", -2s)};
  report(task, ReportState::Rejected);
  EXPECT_EQ(decide_now(task).status->retry_at, at(1s));
  task.status.attempts.assign(10, rejection("a", -1s));
  const api::TaskStatus status = *decide_now(task).status;
  EXPECT_EQ(status.retry_at, at(60s));
  EXPECT_THAT(status.attempts, SizeIs(10));
}

// --- After the end ---

TEST(TaskDecide, AFinishedTaskIsRemovedWhenItsTimeIsOver) {
  struct Case {
    TaskPhase phase;
    Duration ttl;
  };
  for (const Case c :
       {Case{TaskPhase::Succeeded, 24h}, Case{TaskPhase::Failed, 168h}, Case{TaskPhase::Cancelled, 168h}}) {
    api::Task task = make_running();
    task.status.phase = c.phase;
    task.status.completed_at = at(0s);
    const TaskDecision early = decide_at(task, c.ttl - 1s);
    EXPECT_FALSE(early.remove);
    EXPECT_EQ(early.look_again, 1s);
    EXPECT_TRUE(decide_at(task, c.ttl).remove);
    task.spec.ttl_after_finished = 0s;
    EXPECT_TRUE(decide_now(task).remove);
  }
}

TEST(TaskDecide, AStepOfARunStaysAsLongAsItsRun) {
  api::Task task = make_running();
  task.meta.owner_references = {{"convoke.dev/v1alpha1", "WorkflowRun", "run", "uid-run", true, true}};
  task.status.phase = TaskPhase::Succeeded;
  task.status.completed_at = at(0s);
  EXPECT_FALSE(decide_at(task, 1000h).remove);
  task.spec.ttl_after_finished = 1h;
  EXPECT_TRUE(decide_at(task, 1h).remove);
}

TEST(TaskDecide, ATaskThatAToolWouldMakeAgainStaysUnlessItSaysOtherwise) {
  api::Task task = make_running();
  task.meta.labels["kustomize.toolkit.fluxcd.io/name"] = "apps";
  task.status.phase = TaskPhase::Succeeded;
  task.status.completed_at = at(0s);
  const TaskDecision decision = decide_at(task, 1000h);
  EXPECT_FALSE(decision.remove);
  EXPECT_FALSE(decision.look_again);
  task.spec.ttl_after_finished = 1h;
  EXPECT_TRUE(decide_at(task, 1h).remove);
}

TEST(TaskDecide, AFinishedTaskThatIsEditedSaysThatItSawIt) {
  api::Task task = make_running();
  task.status.phase = TaskPhase::Failed;
  task.status.completed_at = at(0s);
  task.meta.generation = 2;
  task.spec.cancel = api::Cancel{"too late"};
  const TaskDecision decision = decide_now(task);
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->observed_generation, 2);
}

}  // namespace
}  // namespace convoke::task
