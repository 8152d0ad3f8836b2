// What the Task reconciler does in the API for delegation, suspension, duplicates and subtasks, faults
// included.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/task/reasons.h"
#include "tests/unit/reconcilers/task/task_world.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using fakes::Fault;
using ::testing::Contains;
using ::testing::HasSubstr;

class TaskLifeTest : public TaskWorldTest {
 protected:
  Json spec_with_subtasks(int count, const Json& aggregation = {{"strategy", "All"}}) {
    Json subtasks = Json::array();
    for (int i = 0; i < count; ++i) {
      subtasks.push_back({{"name", "s" + std::to_string(i)}, {"task", {{"type", "compile"}}}});
    }
    return {{"type", "all"}, {"subtasks", subtasks}, {"aggregation", aggregation}};
  }
  std::size_t tasks() const { return world.server.objects(kTask).size(); }
  std::size_t assigned() const {
    std::size_t count = 0;
    for (const Json& task : world.server.objects(kTask)) {
      count += task.contains("status") && task["status"].value("phase", "") == "Assigned" ? 1 : 0;
    }
    return count;
  }
};

// --- Subtasks ---

TEST_F(TaskLifeTest, TenSubtasksAreAllAssignedAtOnceAndAddUp) {
  TaskOperator op(world);
  create_agent("a");
  create_task("whole", spec_with_subtasks(10));
  settle();
  EXPECT_EQ(phase("whole"), "Running");
  EXPECT_EQ(assigned(), 10u);
  const std::size_t before = writes();
  EXPECT_LE(before, 10u + 10u + 1u) << "creates, assignments and one status";
  for (int i = 0; i < 10; ++i) {
    finish("whole-s" + std::to_string(i));
  }
  world.clock.advance(2s);
  EXPECT_EQ(phase("whole"), "Succeeded");
  EXPECT_EQ(status("whole")["report"]["outputs"]["s9"]["ok"], true);
  EXPECT_LE(writes() - before, 10u + 3u) << "their ends, and few rows";
}

TEST_F(TaskLifeTest, AnOperatorThatDiesBetweenTwoCreatesIsFollowedByOneThatGoesOn) {
  create_agent("a");
  {
    TaskOperator op(world);
    world.server.fail_next({"POST", "/tasks"}, Fault::drop_answer(), 1);
    const auto hold = world.server.hold_next({"POST", "/tasks"});
    create_task("whole", spec_with_subtasks(5));
    settle();
    world.server.partition(kOperator, true);
    hold->release();
  }
  world.server.partition(kOperator, false);
  TaskOperator next(world, 8);
  world.clock.advance(5s);
  EXPECT_EQ(phase("whole"), "Running");
  EXPECT_EQ(tasks(), 6u);
  EXPECT_EQ(assigned(), 5u);
}

TEST_F(TaskLifeTest, AnAnswerThatIsLostMeetsItsOwnCreateAgain) {
  TaskOperator op(world);
  create_agent("a");
  world.server.fail_next({"POST", "/tasks"}, Fault::drop_answer(), 3);
  create_task("whole", spec_with_subtasks(4));
  world.clock.advance(10s);
  EXPECT_EQ(phase("whole"), "Running");
  EXPECT_EQ(tasks(), 5u);
}

TEST_F(TaskLifeTest, AForeignTaskOfTheSameNameUndoesTheSiblings) {
  TaskOperator op(world);
  create_agent("a");
  create_task("whole-s2");
  create_task("whole", spec_with_subtasks(4));
  world.clock.advance(1s);
  EXPECT_EQ(phase("whole"), "Failed");
  EXPECT_EQ(reason("whole"), reason::kSubtaskNotCreated);
  EXPECT_EQ(tasks(), 2u) << "the stranger and the whole";
  EXPECT_EQ(phase("whole-s2"), "Assigned");
}

TEST_F(TaskLifeTest, ARefusalOfTheApiServerUndoesTheSiblings) {
  TaskOperator op(world);
  create_agent("a");
  fakes::ApiFailure forbidden{403, "Forbidden", "exceeded quota: tasks"};
  world.server.fail_next({"POST", "/tasks"}, Fault::drop_answer());
  create_task("whole", spec_with_subtasks(3));
  world.server.fail_next({"POST", "/tasks"}, Fault::answer(forbidden));
  world.clock.advance(5s);
  EXPECT_EQ(reason("whole"), reason::kSubtaskNotCreated);
  EXPECT_THAT(status("whole")["message"].get<std::string>(), HasSubstr("exceeded quota"));
  EXPECT_EQ(tasks(), 1u);
}

TEST_F(TaskLifeTest, TheSubtasksOfAFormerTaskAreWaitedFor) {
  TaskOperator op(world);
  create_agent("a");
  world.server.set_garbage_collection(false);
  create_task("whole", spec_with_subtasks(2));
  settle();
  world.server.remove(kTask, {"default", "whole"});
  create_task("whole", spec_with_subtasks(2));
  world.clock.advance(2s);
  EXPECT_NE(phase("whole"), "Failed");
  world.server.collect_garbage();
  world.clock.advance(60s);
  EXPECT_EQ(phase("whole"), "Running");
}

TEST_F(TaskLifeTest, ASubtaskThatIsDeletedByHandCountsAsFailed) {
  TaskOperator op(world);
  create_agent("a");
  create_task("whole", spec_with_subtasks(3, {{"strategy", "Quorum"}, {"quorum", 2}}));
  settle();
  world.server.remove(kTask, {"default", "whole-s0"});
  finish("whole-s1");
  finish("whole-s2");
  world.clock.advance(2s);
  EXPECT_EQ(phase("whole"), "Succeeded");
  EXPECT_EQ(status("whole")["subtasks"][0]["reason"], reason::kSubtaskDeleted);
}

TEST_F(TaskLifeTest, TheFirstSuccessCancelsTheRest) {
  TaskOperator op(world);
  create_agent("a");
  create_task("whole", spec_with_subtasks(3, {{"strategy", "FirstSuccess"}}));
  settle();
  finish("whole-s1");
  world.clock.advance(2s);
  EXPECT_EQ(phase("whole"), "Succeeded");
  EXPECT_EQ(phase("whole-s0"), "Cancelled");
  EXPECT_EQ(phase("whole-s2"), "Cancelled");
  EXPECT_EQ(status("whole")["subtasks"][2]["phase"], "Cancelled");
  const std::size_t before = writes();
  world.clock.advance(1h);
  EXPECT_EQ(writes(), before);
}

TEST_F(TaskLifeTest, ATreeIsSuspendedResumedAndCancelled) {
  TaskOperator op(world);
  create_agent("a");
  create_task("whole", spec_with_subtasks(2));
  settle();
  edit_task("whole", [](Json& task) { task["spec"]["suspend"] = true; });
  world.clock.advance(2s);
  EXPECT_EQ(reason("whole"), reason::kSuspended);
  EXPECT_EQ(reason("whole-s0"), reason::kSuspended);
  edit_task("whole", [](Json& task) { task["spec"]["suspend"] = false; });
  world.clock.advance(2s);
  EXPECT_EQ(phase("whole"), "Running");
  EXPECT_EQ(phase("whole-s0"), "Assigned");
  edit_task("whole", [](Json& task) { task["spec"]["cancel"] = {{"reason", "enough"}}; });
  world.clock.advance(2s);
  EXPECT_EQ(phase("whole"), "Cancelled");
  EXPECT_EQ(phase("whole-s1"), "Cancelled");
}

// --- Delegation, suspension, notBefore ---

TEST_F(TaskLifeTest, ADelegatedTaskGoesToTheNamedAgentOnceThatExists) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t");
  settle();
  report("t", "Running");
  world.clock.advance(1s);
  edit_task("t", [](Json& task) { task["spec"]["agentName"] = "b"; });
  settle();
  EXPECT_EQ(agent_of("t"), "a");
  EXPECT_THAT(status("t")["message"].get<std::string>(), HasSubstr("b does not exist"));
  create_agent("b");
  settle();
  EXPECT_EQ(phase("t"), "Assigned");
  EXPECT_EQ(agent_of("t"), "b");
  EXPECT_EQ(status("t")["delegations"], 1);
  EXPECT_EQ(status("t")["attempt"], 1);
  EXPECT_THAT(world.events.of("t"), Contains(std::string(reason::kDelegated)));
}

TEST_F(TaskLifeTest, AStartInTheFutureComesByItself) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t", {{"type", "compile"}, {"notBefore", format_time(world.clock.wall_now() + 1h)}});
  world.clock.advance(59min);
  EXPECT_EQ(reason("t"), reason::kNotBefore);
  world.clock.advance(2min);
  EXPECT_EQ(phase("t"), "Assigned");
}

TEST_F(TaskLifeTest, AStaleAssignmentOfAnAtMostOnceTaskLosesAgainstTheAgentsReport) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t", {{"type", "compile"}, {"delivery", "AtMostOnce"}});
  settle();
  // The agent begins in the moment in which its loss is about to be written.
  const auto hold = world.server.hold_next({"PUT", "/tasks/t/status"});
  set_agent_phase("a", "Offline");
  settle();
  report("t", "Running");
  hold->release();
  world.clock.advance(5s);
  EXPECT_EQ(phase("t"), "Failed");
  EXPECT_EQ(reason("t"), reason::kOutcomeUnknown);
}

// --- idempotencyKey ---

TEST_F(TaskLifeTest, OfTasksWithOneKeyOneRunsAndTheOthersTakeItsResult) {
  TaskOperator op(world);
  create_agent("a");
  for (const char* name : {"t0", "t1", "t2"}) {
    create_task(name, {{"type", "compile"}, {"idempotencyKey", "k"}});
    world.clock.advance(1s);
  }
  EXPECT_EQ(assigned(), 1u);
  EXPECT_EQ(reason("t1"), reason::kDuplicateOf);
  finish("t0");
  settle();
  for (const char* name : {"t1", "t2"}) {
    EXPECT_EQ(phase(name), "Succeeded");
    EXPECT_EQ(status(name)["resultFrom"], "t0");
    EXPECT_EQ(status(name)["report"]["outputs"]["ok"], true);
  }
  create_task("t3", {{"type", "compile"}, {"idempotencyKey", "k"}});
  settle();
  EXPECT_EQ(phase("t3"), "Succeeded");
}

TEST_F(TaskLifeTest, WhenTheFirstIsGoneTheNextIsGivenOut) {
  TaskOperator op(world);
  create_agent("a");
  for (const char* name : {"t0", "t1", "t2"}) {
    create_task(name, {{"type", "compile"}, {"idempotencyKey", "k"}});
    world.clock.advance(1s);
  }
  world.server.remove(kTask, {"default", "t0"});
  settle();
  EXPECT_EQ(phase("t1"), "Assigned");
  EXPECT_EQ(reason("t2"), reason::kDuplicateOf);
  edit_task("t1", [](Json& task) { task["spec"]["cancel"] = {{"reason", "no"}}; });
  settle();
  EXPECT_EQ(phase("t2"), "Assigned");
}

}  // namespace
}  // namespace convoke::task
