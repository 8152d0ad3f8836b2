#include "reconcilers/task/phase_table.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace testing;
using api::TaskPhase;

constexpr TaskPhase kAllPhases[] = {TaskPhase::Pending,  TaskPhase::Queued,    TaskPhase::Assigned,
                                    TaskPhase::Running,  TaskPhase::Succeeded, TaskPhase::Failed,
                                    TaskPhase::Cancelled};

PhaseChange change_to(TaskPhase phase) {
  return {phase, "Because", "for a test", 7, kNow};
}

TEST(PhaseTable, TerminalPhasesNeverChange) {
  for (const TaskPhase from : {TaskPhase::Succeeded, TaskPhase::Failed, TaskPhase::Cancelled}) {
    for (const TaskPhase to : kAllPhases) {
      EXPECT_FALSE(may_become(from, to)) << api::to_string(from) << " -> " << api::to_string(to);
    }
  }
}

TEST(PhaseTable, NothingRunsWithoutAnAssignment) {
  for (const TaskPhase from : {TaskPhase::Pending, TaskPhase::Queued}) {
    EXPECT_FALSE(may_become(from, TaskPhase::Running));
    EXPECT_FALSE(may_become(from, TaskPhase::Succeeded));
  }
  EXPECT_FALSE(may_become(TaskPhase::Pending, TaskPhase::Assigned));
}

TEST(PhaseTable, OnlyWithSubtasksOrAnotherTasksResultNoAgentIsNeeded) {
  api::TaskStatus plain = make_queued().status;
  EXPECT_FALSE(transition(plain, change_to(TaskPhase::Running)));
  EXPECT_FALSE(transition(plain, change_to(TaskPhase::Succeeded)));
  api::TaskStatus whole = plain;
  whole.subtasks = {{"a", "t-a", {}, {}}};
  EXPECT_FALSE(transition(whole, change_to(TaskPhase::Succeeded)));
  EXPECT_TRUE(transition(whole, change_to(TaskPhase::Running)));
  api::TaskStatus second = plain;
  second.result_from = "first";
  EXPECT_FALSE(transition(second, change_to(TaskPhase::Running)));
  EXPECT_TRUE(transition(second, change_to(TaskPhase::Succeeded)));
}

TEST(PhaseTable, ARefusedChangeLeavesTheStatusAlone) {
  api::TaskStatus status = make_running().status;
  status.phase = TaskPhase::Succeeded;
  const api::TaskStatus before = status;
  const Status changed = transition(status, change_to(TaskPhase::Queued));
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::Internal);
  EXPECT_EQ(changed.error().message, "a Task cannot go from Succeeded to Queued");
  EXPECT_EQ(status, before);
}

TEST(PhaseTable, EveryPhaseHasItsKstatus) {
  struct Case {
    TaskPhase from, to;
    bool ready, reconciling, stalled;
  };
  const Case cases[] = {
      {TaskPhase::Pending, TaskPhase::Queued, false, true, false},
      {TaskPhase::Queued, TaskPhase::Assigned, false, true, false},
      {TaskPhase::Assigned, TaskPhase::Running, false, true, false},
      {TaskPhase::Running, TaskPhase::Succeeded, true, false, false},
      {TaskPhase::Running, TaskPhase::Failed, false, false, true},
      {TaskPhase::Running, TaskPhase::Cancelled, false, false, true},
  };
  for (const Case& c : cases) {
    api::TaskStatus status;
    status.phase = c.from;
    ASSERT_TRUE(transition(status, change_to(c.to)));
    EXPECT_EQ(api::find_condition(status.conditions, "Ready")->status, c.ready) << api::to_string(c.to);
    EXPECT_EQ(api::find_condition(status.conditions, "Reconciling")->status, c.reconciling)
        << api::to_string(c.to);
    EXPECT_EQ(api::find_condition(status.conditions, "Stalled")->status, c.stalled) << api::to_string(c.to);
    EXPECT_EQ(status.observed_generation, 7);
    EXPECT_EQ(status.reason, "Because");
    EXPECT_TRUE(status.present);
  }
}

TEST(PhaseTable, GoingBackToTheQueueForgetsTheAssignment) {
  api::Task task = make_running();
  report(task, api::ReportState::Running);
  ASSERT_TRUE(transition(task.status, change_to(TaskPhase::Queued)));
  EXPECT_EQ(task.status.agent_name, "");
  EXPECT_EQ(task.status.assignment, api::Assignment{});
  EXPECT_EQ(task.status.report, api::Report{});
  EXPECT_EQ(task.status.assigned_at, "");
  EXPECT_EQ(task.status.started_at, "");
  EXPECT_EQ(task.status.queued_at, at({}));
}

TEST(PhaseTable, EnteringTheSamePhaseAgainKeepsItsTime) {
  api::Task task = make_queued();
  const std::string queued_at = task.status.queued_at;
  ASSERT_TRUE(transition(task.status, change_to(TaskPhase::Queued)));
  EXPECT_EQ(task.status.queued_at, queued_at);
}

TEST(PhaseTable, ObservingAGenerationTouchesNothingElse) {
  api::TaskStatus status;
  status.phase = TaskPhase::Running;
  ASSERT_TRUE(transition(status, change_to(TaskPhase::Failed)));
  const std::string flipped = status.conditions.front().last_transition_time;
  observe_generation(status, 8);
  EXPECT_EQ(status.observed_generation, 8);
  EXPECT_EQ(status.conditions.front().observed_generation, 8);
  EXPECT_EQ(status.conditions.front().last_transition_time, flipped);
  EXPECT_EQ(status.phase, TaskPhase::Failed);
}

}  // namespace
}  // namespace convoke::task
