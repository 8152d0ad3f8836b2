// Decisions about a Task with subtasks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/subtask_spec.h"
#include "reconcilers/task/task_decide.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::AggregationStrategy;
using api::TaskPhase;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A Task with subtasks and what is known of them.
struct Whole {
  explicit Whole(int count, AggregationStrategy strategy = AggregationStrategy::All, int quorum = 0) {
    task = make_task("whole");
    task.spec.aggregation.strategy = strategy;
    task.spec.aggregation.quorum = quorum;
    for (int i = 0; i < count; ++i) {
      task.spec.subtasks.push_back({std::string(1, static_cast<char>('a' + i)), R"({"type":"compile"})"});
    }
    states.resize(task.spec.subtasks.size());
  }

  api::Task& create(std::size_t i) {
    auto child = std::make_shared<api::Task>(make_task(subtask_name(task, task.spec.subtasks[i])));
    child->spec.deadline = task.spec.deadline;
    states[i].task = child;
    return *child;
  }
  Whole& create_all() {
    for (std::size_t i = 0; i < states.size(); ++i) {
      create(i);
    }
    task.status = *now().status;
    return *this;
  }
  Whole& end(std::size_t i, TaskPhase phase, const std::string& outputs = "") {
    api::Task& child = create(i);
    child.status.phase = phase;
    child.status.reason = api::to_string(phase);
    child.status.report.outputs = outputs;
    return *this;
  }
  TaskDecision at_time(Duration offset, Duration progress_wait = 0s) {
    TaskSnapshot snapshot{task, {}, {}, {}, kNow + offset, "abc", 0.5};
    snapshot.subtasks = states;
    snapshot.progress_wait = progress_wait;
    return decide(snapshot);
  }
  TaskDecision now() { return at_time(0s); }
  api::TaskStatus status() { return now().status.value_or(task.status); }

  api::Task task;
  std::vector<SubtaskState> states;
};

// --- Creation ---

TEST(SubtasksDecide, WhatIsMissingIsCreatedBeforeAnythingIsWritten) {
  Whole whole(3);
  whole.create(1);
  const TaskDecision decision = whole.now();
  EXPECT_THAT(decision.subtasks.create, ElementsAre(0u, 2u));
  EXPECT_FALSE(decision.status);
}

TEST(SubtasksDecide, WithAllOfThemItRunsWithoutAnAgent) {
  Whole whole(3);
  whole.create_all();
  EXPECT_EQ(whole.task.status.phase, TaskPhase::Running);
  EXPECT_EQ(whole.task.status.message, "0 of 3 subtasks have succeeded");
  EXPECT_EQ(whole.task.status.agent_name, "");
  ASSERT_THAT(whole.task.status.subtasks, SizeIs(3));
  EXPECT_EQ(whole.task.status.subtasks[2].task_name, "whole-c");
  EXPECT_FALSE(whole.now().status) << "nothing changed";
}

TEST(SubtasksDecide, OneThatCannotBeCreatedFailsAllAndUndoesTheOthers) {
  Whole whole(3);
  whole.create(0);
  whole.states[1].refusal = "quota exceeded";
  const TaskDecision decision = whole.now();
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kSubtaskNotCreated);
  EXPECT_EQ(decision.status->message, "subtask \"b\" cannot be created: quota exceeded");
  EXPECT_THAT(decision.subtasks.remove, ElementsAre(whole.states[0].task));
  // After a crash between the write and the deletion.
  whole.task.status = *decision.status;
  EXPECT_THAT(whole.now().subtasks.remove, SizeIs(1));
}

TEST(SubtasksDecide, AWrongSubtaskIsNamedAndNothingIsCreated) {
  Whole whole(2);
  whole.task.spec.subtasks[1].spec = R"({"type":"compile","priority":"high"})";
  const TaskDecision decision = whole.now();
  EXPECT_EQ(decision.status->reason, reason::kInvalidSpec);
  EXPECT_THAT(decision.status->message, HasSubstr("spec.subtasks[b].task.priority"));
  EXPECT_THAT(decision.subtasks.create, IsEmpty());
}

TEST(SubtasksDecide, NothingIsCreatedBeforeItsTimeOrWhileSuspended) {
  Whole early(1), held(1);
  early.task.spec.not_before = at(1h);
  held.task.spec.suspend = true;
  EXPECT_THAT(early.now().subtasks.create, IsEmpty());
  EXPECT_EQ(early.status().reason, reason::kNotBefore);
  EXPECT_THAT(held.now().subtasks.create, IsEmpty());
  EXPECT_EQ(held.status().reason, reason::kSuspended);
}

// --- Aggregation ---

TEST(SubtasksDecide, AllSucceedTogetherWithTheirOutputs) {
  Whole whole(2);
  whole.create_all();
  whole.end(0, TaskPhase::Succeeded, R"({"n":1})").end(1, TaskPhase::Succeeded, R"({"n":2})");
  const auto status = whole.status();
  EXPECT_EQ(status.phase, TaskPhase::Succeeded);
  EXPECT_EQ(status.report.outputs, R"({"a":{"n":1},"b":{"n":2}})");
  EXPECT_EQ(status.message, "2 of 2 subtasks have succeeded");
  EXPECT_EQ(status.subtasks[1].phase, TaskPhase::Succeeded);
  EXPECT_THAT(status.attempts, IsEmpty());
}

TEST(SubtasksDecide, TheFirstFailureEndsAllAndTheRestIsCancelled) {
  Whole whole(3);
  whole.create_all();
  whole.end(1, TaskPhase::Failed);
  const TaskDecision decision = whole.now();
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kSubtasksFailed);
  EXPECT_THAT(decision.status->message, HasSubstr("subtask \"b\" (Failed)"));
  ASSERT_THAT(decision.subtasks.patch, SizeIs(2));
  EXPECT_TRUE(decision.subtasks.patch[0].second["spec"].contains("cancel"));
}

TEST(SubtasksDecide, OutputsThatAreTooLargeTogetherAreAClearFailure) {
  Whole whole(2);
  whole.create_all();
  const std::string large = "{\"x\":\"" + std::string(40 * 1024, 'x') + "\"}";
  whole.end(0, TaskPhase::Succeeded, large).end(1, TaskPhase::Succeeded, large);
  EXPECT_EQ(whole.status().phase, TaskPhase::Failed);
  EXPECT_EQ(whole.status().reason, reason::kOutputTooLarge);
}

TEST(SubtasksDecide, ADeletedSubtaskHasFailed) {
  Whole whole(2);
  whole.create_all();
  whole.states[0] = {nullptr, true, ""};
  const auto status = whole.status();
  EXPECT_EQ(status.phase, TaskPhase::Failed);
  EXPECT_EQ(status.subtasks[0].reason, reason::kSubtaskDeleted);
}

TEST(SubtasksDecide, TheirTimeTogetherIsBounded) {
  Whole whole(2);
  whole.task.spec.aggregation.timeout = 5min;
  whole.create_all();
  EXPECT_EQ(whole.now().look_again, 4min) << "they were created a minute ago";
  const TaskDecision decision = whole.at_time(4min);
  EXPECT_EQ(decision.status->phase, TaskPhase::Failed);
  EXPECT_EQ(decision.status->reason, reason::kTimeout);
  EXPECT_THAT(decision.subtasks.patch, SizeIs(2));
}

// --- Progress ---

TEST(SubtasksDecide, ProgressIsWrittenInItsOwnTime) {
  Whole whole(3);
  whole.create_all();
  whole.end(0, TaskPhase::Succeeded);
  const TaskDecision early = whole.at_time(0s, 700ms);
  EXPECT_FALSE(early.status);
  EXPECT_EQ(early.look_again, 700ms);
  const auto status = whole.status();
  EXPECT_EQ(status.message, "1 of 3 subtasks have succeeded");
  EXPECT_EQ(status.subtasks[0].phase, TaskPhase::Succeeded);
}

TEST(SubtasksDecide, TheRowsGoOnAfterTheEndUntilTheLastOneHasEnded) {
  Whole whole(2, AggregationStrategy::FirstSuccess);
  whole.create_all();
  whole.end(0, TaskPhase::Succeeded);
  whole.task.status = whole.status();
  ASSERT_EQ(whole.task.status.phase, TaskPhase::Succeeded);
  whole.end(1, TaskPhase::Cancelled);
  const auto status = whole.status();
  EXPECT_EQ(status.phase, TaskPhase::Succeeded);
  EXPECT_EQ(status.subtasks[1].phase, TaskPhase::Cancelled);
}

// --- Suspend, cancel, deadline of the whole ---

TEST(SubtasksDecide, SuspendingHoldsTheSubtasksAndResumingFreesOnlyThose) {
  Whole whole(2);
  whole.create_all();
  api::Task& by_hand = whole.create(1);
  by_hand.spec.suspend = true;
  whole.task.spec.suspend = true;
  TaskDecision decision = whole.now();
  EXPECT_EQ(decision.status->phase, TaskPhase::Pending);
  EXPECT_EQ(decision.status->reason, reason::kSuspended);
  ASSERT_THAT(decision.subtasks.patch, SizeIs(1));
  EXPECT_EQ(decision.subtasks.patch[0].second["spec"]["suspend"], true);

  whole.task.status = *decision.status;
  api::Task& held = whole.create(0);
  held.spec.suspend = true;
  held.meta.annotations[annotation::kSuspendedByParent] = "true";
  EXPECT_THAT(whole.now().subtasks.patch, IsEmpty());
  whole.task.spec.suspend = false;
  decision = whole.now();
  EXPECT_EQ(decision.status->phase, TaskPhase::Running);
  ASSERT_THAT(decision.subtasks.patch, SizeIs(1));
  EXPECT_EQ(decision.subtasks.patch[0].second["spec"]["suspend"], false);
}

TEST(SubtasksDecide, CancellingAndTheDeadlineEndTheTree) {
  Whole cancelled(2), late(2);
  cancelled.create_all();
  cancelled.task.spec.cancel = api::Cancel{"not needed"};
  EXPECT_EQ(cancelled.status().phase, TaskPhase::Cancelled);
  EXPECT_THAT(cancelled.now().subtasks.patch, SizeIs(2));
  late.create_all();
  const TaskDecision decision = late.at_time(24h);
  EXPECT_EQ(decision.status->reason, reason::kDeadlineExceeded);
  EXPECT_THAT(decision.subtasks.patch, SizeIs(2));
}

TEST(SubtasksDecide, ALaterDeadlineReachesTheSubtasks) {
  Whole whole(1);
  whole.create_all();
  whole.task.spec.deadline = 48h;
  const auto patches = whole.now().subtasks.patch;
  ASSERT_THAT(patches, SizeIs(1));
  EXPECT_EQ(patches[0].second["spec"]["deadline"], "48h");
}

TEST(SubtasksDecide, ASubtaskStaysAsLongAsItsTask) {
  api::Task child = make_running();
  child.status.phase = TaskPhase::Succeeded;
  child.status.completed_at = at(-1000h);
  child.meta.owner_references = {{"convoke.dev/v1alpha1", "Task", "whole", "uid-whole", true, false}};
  EXPECT_FALSE(decide({child, {}, {}, {}, kNow, "abc", 0.5}).remove);
}

}  // namespace
}  // namespace convoke::task
