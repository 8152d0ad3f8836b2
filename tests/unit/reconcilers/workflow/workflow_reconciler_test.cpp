#include "reconcilers/workflow/workflow_reconciler.h"

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/workflow/child_name.h"
#include "tests/unit/reconcilers/workflow/specs.h"
#include "tests/unit/reconcilers/workflow/world.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;
using specs::kByHand;
using specs::spec;
using specs::step;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::string created_run(const World& world) {
  return created_run_name("flow", world.workflow("flow")["metadata"]["uid"]);
}

std::string ready_message(const World& world) {
  const Json workflow = world.workflow("flow");
  for (const auto& condition : workflow["status"]["conditions"]) {
    if (condition["type"] == "Ready") {
      return condition["message"];
    }
  }
  return "";
}

TEST(WorkflowReconciler, AnInvalidDefinitionIsSaidOnceAndCostsOneWrite) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a", {"nowhere"})}));
  world.live(60s);
  EXPECT_EQ(world.workflow("flow")["status"]["phase"], "Invalid");
  EXPECT_THAT(ready_message(world), HasSubstr("spec.steps[a].dependsOn: there is no step \"nowhere\""));
  EXPECT_EQ(world.events.count("InvalidDefinition"), 1);
  EXPECT_EQ(world.server.write_count("operator"), 1u);
  world.apply_workflow("flow", Json{{"steps", "broken"}});
  world.live(1s);
  EXPECT_EQ(world.events.count("InvalidDefinition"), 2);
  EXPECT_THAT(world.names(api::kWorkflowRun), IsEmpty());
}

TEST(WorkflowReconciler, CreateMakesOneRunForEver) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}));
  world.live(2s);
  const auto run = created_run(world);
  EXPECT_EQ(world.phase(run), "Succeeded");
  EXPECT_EQ(world.workflow("flow")["status"]["createdRun"], run);
  EXPECT_EQ(world.run(run)["spec"]["triggeredBy"], "Create");
  world.server.remove(api::kWorkflowRun, {kNamespace, run});
  world.apply_workflow("flow", spec({step("b")}));
  world.start_operator();
  world.live(20s);
  EXPECT_THAT(world.names(api::kWorkflowRun), IsEmpty());
}

TEST(WorkflowReconciler, AForeignRunOfThatNameGivesTheRunAnotherName) {
  World world;
  world.apply_workflow("flow", spec({step("a")}));
  const auto first = created_run(world);
  world.create_run(first, {{"workflowName", "other"}});
  world.start_operator();
  world.live(5s);
  const auto second = alternative_created_run_name("flow", world.workflow("flow")["metadata"]["uid"]);
  EXPECT_EQ(world.workflow("flow")["status"]["createdRun"], second);
  EXPECT_EQ(world.phase(second), "Succeeded");
  EXPECT_EQ(world.events.count("NameConflict"), 1);
}

TEST(WorkflowReconciler, ARefusedRunIsSaidAndTriedAgain) {
  World world;
  world.start_operator();
  world.server.fail_next({"POST", "/workflowruns"},
                         Fault::answer(fakes::forbidden(api::kWorkflowRun, "x", "over quota")), 3);
  world.apply_workflow("flow", spec({step("a")}));
  world.clock.settle();
  EXPECT_THAT(ready_message(world), HasSubstr("over quota"));
  world.live(30s);
  EXPECT_EQ(world.phase(created_run(world)), "Succeeded");
}

TEST(WorkflowReconciler, AForeignRevisionOfThatNameGivesWay) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}, kByHand));
  world.live(1s);
  const auto name = world.workflow("flow")["status"]["currentRevision"].get<std::string>();
  world.server.remove(api::kWorkflow, {kNamespace, "flow"});
  world.stop_operator();
  world.server.put(
      api::kControllerRevision,
      {{"metadata", {{"namespace", kNamespace}, {"name", name}}}, {"revision", 1}, {"data", Json::object()}});
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}, kByHand));
  world.create_run("run", {{"workflowName", "flow"}});
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_NE(world.workflow("flow")["status"]["currentRevision"], name);
}

TEST(WorkflowReconciler, KeepsAsManyRunsAsItsLimitsSay) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}, {{"triggers", Json::array()},
                                                  {"historyLimits", {{"succeeded", 2}, {"failed", 1}}}}));
  for (const char* name : {"one", "two", "three", "four"}) {
    world.create_run(name, {{"workflowName", "flow"}});
    world.finish(name);
  }
  world.fail_step("a");
  for (const char* name : {"five", "six"}) {
    world.create_run(name, {{"workflowName", "flow"}});
    world.finish(name);
  }
  world.live(5s);
  EXPECT_THAT(world.names(api::kWorkflowRun), UnorderedElementsAre("three", "four", "six"));
  EXPECT_THAT(world.names(api::kTask), SizeIs(3));
}

TEST(WorkflowReconciler, PrunesOldRevisionsButNotThoseInUse) {
  World world;
  world.start_operator();
  world.hold_step("s0");
  for (int i = 0; i < 15; ++i) {
    world.apply_workflow("flow", spec({step("s" + std::to_string(i))}, kByHand));
    world.live(1s);
    if (i == 0) {
      world.create_run("live", {{"workflowName", "flow"}});
      world.live(1s);
    }
  }
  world.live(20s);
  EXPECT_THAT(world.names(api::kControllerRevision), SizeIs(12))
      << "the current one, the live run's and ten more";
  EXPECT_THAT(world.names(api::kControllerRevision),
              Contains(world.run("live")["status"]["revision"].get<std::string>()));
  EXPECT_EQ(world.workflow("flow")["status"]["currentRevisionNumber"], 15);
}

TEST(WorkflowReconciler, AnOldDefinitionComesBackAsTheNewestRevision) {
  World world;
  world.start_operator();
  for (const char* name : {"a", "b", "a"}) {
    world.apply_workflow("flow", spec({step(name)}, kByHand));
    world.live(1s);
  }
  EXPECT_THAT(world.names(api::kControllerRevision), SizeIs(2));
  EXPECT_EQ(world.workflow("flow")["status"]["currentRevisionNumber"], 3);
}

TEST(WorkflowReconciler, CountsAreWrittenNowAndThen) {
  World world;
  world.start_operator();
  world.apply_workflow(
      "flow", spec({step("a")}, {{"triggers", Json::array()}, {"historyLimits", {{"succeeded", 100}}}}));
  world.live(2s);
  world.server.forget_requests();
  world.hold_step("a");
  for (int i = 0; i < 20; ++i) {
    world.create_run("run-" + std::to_string(i), {{"workflowName", "flow"}});
    world.live(500ms);
  }
  world.live(15s);
  EXPECT_EQ(world.workflow("flow")["status"]["activeRuns"], 20);
  EXPECT_LE(world.writes_to("/workflows/"), 3);
  world.hold_step("a", false);
  world.live(30s);
  EXPECT_EQ(world.workflow("flow")["status"]["activeRuns"], 0);
  EXPECT_EQ(world.workflow("flow")["status"]["lastRunPhase"], "Succeeded");
}

TEST(WorkflowReconciler, IsQuietOnceAllIsWell) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}));
  world.live(30s);
  world.server.forget_requests();
  world.start_operator();
  world.live(10min);
  EXPECT_EQ(world.server.write_count("operator"), 0u);
}

Json each_minute(const Json& more = Json::object()) {
  Json schedule = {{"cron", "* * * * *"}};
  schedule.update(more);
  return spec({step("a")}, {{"triggers", {{{"type", "Schedule"}, {"schedule", schedule}}}},
                            {"historyLimits", {{"succeeded", 0}, {"failed", 0}}}});
}

TEST(WorkflowReconciler, AScheduleStartsOneRunAMinute) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", each_minute());
  world.live(150s);
  EXPECT_THAT(world.journal(), SizeIs(2));
  for (const auto& [name, times] : world.journal()) {
    EXPECT_EQ(times, 1) << name;
  }
  EXPECT_EQ(world.workflow("flow")["status"]["nextScheduleTime"], "2026-01-01T00:03:00Z");
}

// Runs are deleted as soon as they have ended: only the status knows what was started.
TEST(WorkflowReconciler, AScheduleSurvivesACrashAtEveryWrite) {
  for (int at_write = 1; at_write <= 14; ++at_write) {
    for (const bool carried_out : {false, true}) {
      World world;
      world.start_operator({at_write, carried_out});
      world.apply_workflow("flow", each_minute());
      world.live(150s);
      EXPECT_THAT(world.journal(), SizeIs(2)) << at_write << carried_out;
      for (const auto& [name, times] : world.journal()) {
        EXPECT_EQ(times, 1) << name << " after a crash at write " << at_write;
      }
      EXPECT_FALSE(world.workflow("flow")["status"]["triggers"][0].contains("missed"))
          << at_write << carried_out;
    }
  }
}

TEST(WorkflowReconciler, ReplaceCancelsAndStartsAnew) {
  World world;
  world.start_operator();
  world.hold_step("a");
  world.apply_workflow("flow", each_minute({{"concurrencyPolicy", "Replace"}}));
  world.live(70s);
  const auto first = world.names(api::kWorkflowRun);
  ASSERT_THAT(first, SizeIs(1));
  world.live(60s);
  const auto second = world.names(api::kWorkflowRun);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_NE(first, second);
  EXPECT_EQ(world.phase(second[0]), "Running");
}

TEST(WorkflowReconciler, ARunThatIsRefusedIsTriedAgainEachMinute) {
  World world;
  world.start_operator();
  world.server.fail_next({.method = "POST", .path = "workflowruns"},
                         Fault::answer(fakes::forbidden(api::kWorkflowRun, "run", "exceeded quota")),
                         2);  // its own status write has it looked at once more
  world.apply_workflow("flow", each_minute());
  world.live(70s);
  EXPECT_THAT(world.journal(), IsEmpty());
  EXPECT_EQ(world.events.count("TriggerFailed"), 1);
  world.live(60s);
  EXPECT_THAT(world.journal(), SizeIs(1)) << "the latest time";
}

TEST(WorkflowReconciler, AChangeStartsOneRunWhateverCrashes) {
  for (int at_write = 1; at_write <= 8; ++at_write) {
    for (const bool carried_out : {false, true}) {
      World world;
      const Json change = {{"triggers", {{{"type", "Change"}}}}, {"historyLimits", {{"succeeded", 0}}}};
      world.start_operator();
      world.apply_workflow("flow", spec({step("a")}, change));
      world.live(5s);
      world.start_operator({at_write, carried_out});
      world.apply_workflow("flow", spec({step("b")}, change));
      world.live(60s);
      EXPECT_THAT(world.journal(), SizeIs(1)) << at_write << carried_out;
      EXPECT_THAT(world.journal(), Each(Pair(HasSubstr("/b"), 1))) << at_write << carried_out;
    }
  }
}

}  // namespace
}  // namespace convoke::workflow
