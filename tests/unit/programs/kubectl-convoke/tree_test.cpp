#include "programs/kubectl-convoke/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const WallTime kAMinuteLater = *parse_time("2026-01-01T00:01:00Z");

Json object_with_status(const std::string& kind, const std::string& name, Json status,
                        const std::string& owner = "", const std::string& step = "") {
  Json metadata = {{"name", name}, {"namespace", "default"}, {"uid", "uid-" + name}};
  if (!owner.empty()) metadata["ownerReferences"] = Json::array({{{"uid", "uid-" + owner}}});
  if (!step.empty()) metadata["labels"] = {{"convoke.dev/step", step}};
  return {{"kind", kind}, {"metadata", metadata}, {"spec", Json::object()}, {"status", std::move(status)}};
}

Json task_of_step(const std::string& name, const std::string& phase, const std::string& step) {
  return object_with_status("Task", name, {{"phase", phase}, {"agentName", "worker"}, {"attempt", 1}}, "r",
                            step);
}

Json run_of(std::vector<Json> steps) {
  return object_with_status("WorkflowRun", "r",
                            {{"phase", "Running"},
                             {"progress", "1/2"},
                             {"startedAt", "2026-01-01T00:00:00Z"},
                             {"steps", std::move(steps)}});
}

TEST(Tree, ShowsAStepWithItsOneTaskOnOneLine) {
  World world;
  world.tasks["r-a"] = task_of_step("r-a", "Succeeded", "a");
  const auto run = run_of(
      {{{"name", "a"}, {"phase", "Succeeded"}, {"taskName", "r-a"}}, {{"name", "b"}, {"phase", "Pending"}}});
  EXPECT_THAT(render(build_run(world, run, {}), {}, kAMinuteLater),
              ElementsAre("r              * Running            1/2  1m", "|- a task/r-a  + Succeeded  worker",
                          "`- b           . Pending"));
}

TEST(Tree, AFailureSaysWhyAndShowsItsAttempts) {
  World world;
  auto failed = task_of_step("r-a", "Failed", "a");
  failed["status"]["message"] = "exit status 3";
  failed["status"]["reason"] = "Failed";
  failed["status"]["attempt"] = 2;
  failed["status"]["attempts"] = Json::array({{{"attempt", 1}, {"outcome", "Timeout"}, {"agentName", "w1"}},
                                              {{"attempt", 2}, {"outcome", "Failed"}, {"agentName", "w2"}}});
  world.tasks["r-a"] = failed;
  const auto tree = build_run(world, run_of({{{"name", "a"}, {"phase", "Failed"}, {"taskName", "r-a"}}}), {});
  ASSERT_EQ(tree.children.size(), 1U);
  EXPECT_EQ(tree.children[0].message, "exit status 3");
  ASSERT_EQ(tree.children[0].children.size(), 2U);
  EXPECT_EQ(tree.children[0].children[0].phase, "Timeout");
}

TEST(Tree, OfAFanOutTheTasksThatFailedAreShownAndTheOthersCounted) {
  World world;
  for (int i = 0; i < 30; ++i) {
    const auto name = "r-a-" + std::to_string(100 + i);
    world.tasks[name] = task_of_step(name, i == 17 ? "Failed" : "Succeeded", "a");
  }
  const auto tree = build_run(world, run_of({{{"name", "a"}, {"phase", "Running"}, {"items", "17s1f12s"}}}),
                              TreeOptions{3});
  const auto& step = tree.children[0];
  EXPECT_EQ(step.progress, "29 succeeded, 1 failed");
  ASSERT_EQ(step.children.size(), 4U);
  EXPECT_EQ(step.children[2].name, "task r-a-117");
  EXPECT_THAT(step.children[3].name, HasSubstr("27 more"));
}

TEST(Tree, TheTaskThatUndoesAStepStandsBelowIt) {
  World world;
  world.tasks["r-a"] = task_of_step("r-a", "Succeeded", "a");
  world.tasks["r-a-undo"] = task_of_step("r-a-undo", "Running", "a");
  world.tasks["r-a-undo"]["metadata"]["labels"]["convoke.dev/undo"] = "true";
  const auto tree =
      build_run(world, run_of({{{"name", "a"}, {"phase", "Compensating"}, {"taskName", "r-a"}}}), {});
  EXPECT_EQ(tree.children[0].phase, "Compensating");
  EXPECT_EQ(tree.children[0].object, "task/r-a");
  ASSERT_EQ(tree.children[0].children.size(), 1U);
  EXPECT_EQ(tree.children[0].children[0].name, "undo");
}

TEST(Tree, ASubRunIsShownBelowItsStep) {
  World world;
  world.runs["r-sub"] = object_with_status(
      "WorkflowRun", "r-sub",
      {{"phase", "Running"}, {"steps", Json::array({{{"name", "x"}, {"phase", "Running"}}})}}, "r");
  const auto tree =
      build_run(world, run_of({{{"name", "a"}, {"phase", "Running"}, {"runName", "r-sub"}}}), {});
  ASSERT_EQ(tree.children[0].children.size(), 1U);
  EXPECT_EQ(tree.children[0].children[0].children[0].name, "x");
}

TEST(Tree, TasksThatNoStepNamesAreShownToo) {
  World world;
  world.tasks["r-undo"] = task_of_step("r-undo", "Running", "");
  const auto tree = build_run(world, run_of({{{"name", "a"}, {"phase", "Compensating"}}}), {});
  ASSERT_EQ(tree.children.size(), 2U);
  EXPECT_EQ(tree.children[0].phase, "Compensating");
  EXPECT_EQ(tree.children[1].object, "task/r-undo");
}

TEST(Tree, SubtasksStandBelowTheirTask) {
  World world;
  auto whole = object_with_status(
      "Task", "w",
      {{"phase", "Running"},
       {"subtasks", Json::array({{{"name", "one"}, {"taskName", "w-one"}, {"phase", "Running"}}})}});
  world.tasks["w-one"] = object_with_status(
      "Task", "w-one", {{"phase", "Running"}, {"agentName", "x"}, {"report", {{"progress", 40}}}}, "w");
  const auto tree = build_task(world, whole, {});
  ASSERT_EQ(tree.children.size(), 1U);
  EXPECT_EQ(tree.children[0].agent, "x");
  EXPECT_EQ(tree.children[0].progress, "40%");
}

TEST(Tree, ItemsAreReadFromTheirRunLengths) {
  EXPECT_EQ(describe_items("120s1f5r9874p"), "120 succeeded, 1 failed, 5 running, 9874 pending");
  EXPECT_EQ(describe_items("sfs"), "2 succeeded, 1 failed");
  EXPECT_EQ(describe_items(""), "");
  EXPECT_EQ(describe_items("99999999999999999999999999p"), "1000000000 pending");
}

TEST(Tree, NothingInAMessageReachesTheTerminalAsAControl) {
  World world;
  auto run = run_of({});
  run["status"]["phase"] = "Failed";
  run["status"]["message"] = "bad\x1b[2J\nnews";
  const auto lines = render(build_run(world, run, {}), {}, kAMinuteLater);
  EXPECT_THAT(lines[0], AllOf(HasSubstr("bad [2J news"), Not(HasSubstr("\x1b"))));
}

TEST(Style, CutsByColumnsNotByBytes) {
  EXPECT_EQ(width_of("\x1b[32m✔ ä\x1b[0m"), 3U);
  EXPECT_EQ(cut_to_width("abcdefgh", 6), "abc...");
  EXPECT_EQ(cut_to_width("äöü", 3), "äöü");
}

}  // namespace
}  // namespace convoke::plugin
