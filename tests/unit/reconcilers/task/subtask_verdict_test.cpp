#include "reconcilers/task/subtask_verdict.h"

#include <gtest/gtest.h>

#include "reconcilers/task/reasons.h"
#include "reconcilers/task/subtask_spec.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace testing;
using api::AggregationStrategy;
using api::TaskPhase;
using VerdictKind = SubtaskVerdict::Kind;

// "SF." is one that succeeded, one that failed and one that is open.
std::vector<api::SubtaskRow> rows(const std::string& pattern) {
  std::vector<api::SubtaskRow> result;
  for (const char c : pattern) {
    const TaskPhase phase = c == 'S'   ? TaskPhase::Succeeded
                            : c == 'F' ? TaskPhase::Failed
                            : c == 'C' ? TaskPhase::Cancelled
                                       : TaskPhase::Running;
    result.push_back({std::to_string(result.size()), "t", phase, "Because"});
  }
  return result;
}

TEST(SubtaskVerdict, FollowsTheStrategy) {
  struct Case {
    AggregationStrategy strategy;
    int quorum;
    std::string pattern;
    bool time_is_up;
    VerdictKind kind;
  };
  using enum AggregationStrategy;
  const Case cases[] = {
      {All, 0, "...", false, VerdictKind::Open},
      {All, 0, "SS.", false, VerdictKind::Open},
      {All, 0, "SSS", false, VerdictKind::Succeeded},
      {All, 0, "SF.", false, VerdictKind::Failed},
      {All, 0, "SC.", false, VerdictKind::Failed},
      {All, 0, "SS.", true, VerdictKind::Failed},
      {All, 0, "SSS", true, VerdictKind::Succeeded},
      {Any, 0, "S..", false, VerdictKind::Open},
      {Any, 0, "SF.", false, VerdictKind::Open},
      {Any, 0, "SFC", false, VerdictKind::Succeeded},
      {Any, 0, "FFF", false, VerdictKind::Failed},
      {Any, 0, "FF.", false, VerdictKind::Open},
      {Any, 0, "S..", true, VerdictKind::Succeeded},
      {Any, 0, "F..", true, VerdictKind::Failed},
      {Quorum, 2, "S...", false, VerdictKind::Open},
      {Quorum, 2, "S.S.", false, VerdictKind::Succeeded},
      {Quorum, 2, "FF..", false, VerdictKind::Open},
      {Quorum, 2, "FFF.", false, VerdictKind::Failed},
      {Quorum, 2, "S...", true, VerdictKind::Failed},
      {FirstSuccess, 0, "...", false, VerdictKind::Open},
      {FirstSuccess, 0, "F.S", false, VerdictKind::Succeeded},
      {FirstSuccess, 0, "FF.", false, VerdictKind::Open},
      {FirstSuccess, 0, "FFF", false, VerdictKind::Failed},
      {FirstSuccess, 0, "F..", true, VerdictKind::Failed},
  };
  for (const Case& c : cases) {
    const auto verdict = judge({c.strategy, c.quorum, {}}, rows(c.pattern), c.time_is_up);
    EXPECT_EQ(verdict.kind, c.kind) << api::to_string(c.strategy) << " " << c.pattern;
    if (verdict.kind == VerdictKind::Failed) {
      EXPECT_FALSE(verdict.reason.empty() || verdict.message.empty());
    }
  }
}

TEST(SubtaskVerdict, SaysWhatFailedInWords) {
  EXPECT_EQ(judge({AggregationStrategy::All, 0, {}}, rows("SF."), false).message,
            "subtask \"1\" (Because) did not succeed");
  EXPECT_EQ(judge({AggregationStrategy::Quorum, 3, {}}, rows("SFF."), false).message,
            "subtasks \"1\" (Because), \"2\" (Because) did not succeed; 3 of 4 must, 1 did");
  EXPECT_EQ(describe_progress(count(rows("SSSF."))), "3 of 5 subtasks have succeeded, 1 did not");
}

TEST(SubtaskSpec, MalformedSubtasksAreNamed) {
  struct Case {
    std::vector<api::Subtask> subtasks;
    api::Aggregation aggregation;
    std::string problem;
  };
  const Case cases[] = {
      {{{"", R"({"type":"a"})"}}, {}, "spec.subtasks[].name: is required"},
      {{{"x", R"({"type":"a"})"}, {"x", R"({"type":"a"})"}}, {}, "spec.subtasks[x].name: is there twice"},
      {{{"x", ""}}, {}, "spec.subtasks[x].task.type: is required"},
      {{{"x", R"({"type":"a","requires":{"rule":"1 +"}})"}},
       {},
       "spec.subtasks[x].task.requires.rule: line 1, column 4: expected a value, found the end"},
      {{{"x", R"({"type":"a"})"}},
       {AggregationStrategy::Quorum, 2, {}},
       "spec.aggregation.quorum: expected from 1 to 1, the number of subtasks, got 2"},
  };
  for (const Case& c : cases) {
    api::TaskSpec spec;
    spec.subtasks = c.subtasks;
    spec.aggregation = c.aggregation;
    std::vector<std::string> problems;
    add_subtask_problems(spec, problems);
    ASSERT_EQ(problems.size(), 1u) << c.problem;
    EXPECT_EQ(problems.front(), c.problem);
  }
}

TEST(SubtaskSpec, TheTaskOfASubtaskHasItsOwnersPriorityAndDeadline) {
  api::Task whole = make_task("whole");
  whole.spec.priority = 5;
  whole.spec.deadline = std::chrono::hours(48);
  const Json task = subtask_manifest(whole, {"a", R"({"type":"compile"})"});
  EXPECT_EQ(task["metadata"]["name"], "whole-a");
  EXPECT_EQ(task["metadata"]["labels"][api::label::kParent], "whole");
  EXPECT_EQ(task["metadata"]["ownerReferences"][0]["uid"], "uid-whole");
  EXPECT_EQ(task["spec"]["priority"], 5);
  EXPECT_EQ(task["spec"]["deadline"], "48h");
  EXPECT_EQ(subtask_manifest(whole, {"a", R"({"type":"c","priority":1})"})["spec"]["priority"], 1);
}

}  // namespace
}  // namespace convoke::task
