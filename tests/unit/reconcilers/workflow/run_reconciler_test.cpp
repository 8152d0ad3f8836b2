#include "reconcilers/workflow/run_reconciler.h"

#include <chrono>
#include <string>
#include <vector>

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
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

Json inline_run(const Json& definition, const Json& more = Json::object()) {
  Json result = {{"workflowSpec", definition}};
  result.update(more);
  return result;
}

std::string reason(const World& world, const std::string& run) {
  return world.run(run)["status"].value("reason", "");
}
std::string message(const World& world, const std::string& run) {
  return world.run(run)["status"].value("message", "");
}

std::string uid_of(const World& world, const std::string& run) {
  return world.run(run)["metadata"]["uid"];
}

bool condition(const Json& object, const std::string& type) {
  for (const auto& entry : object["status"]["conditions"]) {
    if (entry["type"] == type) {
      return entry["status"] == "True";
    }
  }
  return false;
}

// --- What cannot run ---

TEST(RunReconciler, SaysWhatIsWrongWithARunAndLeavesOthersAlone) {
  World world;
  world.start_operator();
  world.create_run("both", {{"workflowName", "x"}, {"workflowSpec", spec({step("a")})}});
  world.create_run("neither", Json::object());
  world.create_run("types", {{"workflowName", 7}, {"suspend", "yes"}});
  world.create_run("cycle", inline_run(spec({step("a", {"b"}), step("b", {"a"})})));
  world.create_run("parameters", inline_run(spec({step("a")}), {{"parameters", {{"x", 1}}}}));
  world.create_run("good", inline_run(spec({step("a")})));
  world.live(10s);
  for (const char* name : {"both", "neither", "types"}) {
    EXPECT_EQ(reason(world, name), "InvalidSpec") << name;
    EXPECT_TRUE(condition(world.run(name), "Stalled")) << name;
    EXPECT_EQ(world.phase(name), "Pending") << name;
  }
  EXPECT_EQ(reason(world, "cycle"), "InvalidDefinition");
  EXPECT_THAT(message(world, "cycle"), HasSubstr("a → b → a"));
  EXPECT_EQ(world.phase("cycle"), "Failed");
  EXPECT_EQ(reason(world, "parameters"), "InvalidParameters");
  EXPECT_EQ(world.phase("good"), "Succeeded");
  EXPECT_EQ(world.events.count("InvalidSpec"), 3);
  EXPECT_EQ(world.writes_to("workflowruns"), 7) << "one for each that is wrong, two for the good one";
}

TEST(RunReconciler, WaitsForItsWorkflowAndStartsAtOnceWhenThatIsReady) {
  World world;
  world.start_operator();
  world.create_run("run", {{"workflowName", "flow"}});
  world.live(5s);
  EXPECT_EQ(world.phase("run"), "Pending");
  EXPECT_EQ(reason(world, "run"), "WorkflowNotFound");
  world.apply_workflow("flow", spec({step("a", {"a"})}, kByHand));
  world.live(1s);
  EXPECT_EQ(reason(world, "run"), "WorkflowNotReady");
  EXPECT_THAT(message(world, "run"), HasSubstr("cycle"));
  world.apply_workflow("flow", spec({step("a")}, kByHand));
  world.clock.settle();
  EXPECT_EQ(world.phase("run"), "Running");
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
}

TEST(RunReconciler, WaitsForAPinnedRevision) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}, kByHand));
  world.create_run("run", {{"workflowName", "flow"}, {"revision", "flow-0000000000"}});
  world.live(5s);
  EXPECT_EQ(world.phase("run"), "Pending");
  EXPECT_EQ(reason(world, "run"), "RevisionNotFound");
  EXPECT_THAT(message(world, "run"), HasSubstr("flow-0000000000"));
}

TEST(RunReconciler, RefusesARevisionOfAnotherWorkflow) {
  World world;
  world.start_operator();
  world.apply_workflow("one", spec({step("a")}, kByHand));
  world.apply_workflow("two", spec({step("b")}, kByHand));
  world.live(1s);
  world.create_run(
      "run", {{"workflowName", "two"}, {"revision", world.workflow("one")["status"]["currentRevision"]}});
  world.live(1s);
  EXPECT_EQ(reason(world, "run"), "RevisionNotFound");
  EXPECT_THAT(world.names(api::kTask), IsEmpty());
}

TEST(RunReconciler, ATaskThatTheApiServerRefusesFailsItsStep) {
  World world;
  world.start_operator();
  world.server.fail_next(
      {"POST", "/tasks"},
      Fault::answer(fakes::forbidden(api::kTask, "run-a", "policy \"size\" denied request: too big")));
  world.create_run("run", inline_run(spec({step("a"), step("b", {"a"})})));
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_EQ(world.step_phases("run"), "a:Failed b:Skipped");
  EXPECT_THAT(message(world, "run"), HasSubstr("denied request: too big"));
  EXPECT_EQ(world.events.count("StepFailed"), 1);
}

TEST(RunReconciler, ATaskThatIsForbiddenForNowIsSaidAndTriedAgain) {
  World world;
  world.start_operator();
  world.server.fail_next({"POST", "/tasks"},
                         Fault::answer(fakes::forbidden(api::kTask, "run-a", "over quota")), 3);
  world.create_run("run", inline_run(spec({step("a")})));
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_EQ(world.events.count("TaskRefused"), 3);
}

TEST(RunReconciler, ARunWhoseTaskIsForbiddenSaysSoAndHasItsTime) {
  World world;
  world.start_operator();
  world.server.fail_next({"POST", "/tasks"},
                         Fault::answer(fakes::forbidden(api::kTask, "run-a", "over quota")), 1000);
  world.create_run("run", inline_run(spec({step("a")}, {{"timeout", "1m"}})));
  world.live(30s);
  EXPECT_EQ(world.phase("run"), "Running");
  EXPECT_EQ(world.step_phases("run"), "a:Pending");
  EXPECT_THAT(message(world, "run"), HasSubstr("over quota"));
  world.live(31s);
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_EQ(reason(world, "run"), "Timeout");
  EXPECT_LT(world.events.count("TaskRefused"), 40) << "asked again with growing pauses";
}

TEST(RunReconciler, PassingErrorsAreRetried) {
  World world;
  world.start_operator();
  world.server.fail_next({"POST", "/tasks"}, Fault::error(500), 3);
  world.server.fail_next({"POST", "/tasks"}, Fault::drop_answer(), 1);
  world.server.fail_next({"PUT", "/status"}, Fault::conflict(), 2);
  world.create_run("run", inline_run(specs::diamond()));
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_THAT(world.journal(), Each(Pair(StartsWith("run/"), 1)));
}

TEST(RunReconciler, AHugeParameterFailsTheRunBeforeAnyTask) {
  World world;
  world.start_operator();
  world.create_run("run", inline_run(spec({step("a")}, {{"parameters", {{{"name", "x"}}}}}),
                                     {{"parameters", {{"x", std::string(1024 * 1024, 'x')}}}}));
  world.finish("run");
  EXPECT_EQ(reason(world, "run"), "StatusTooLarge");
  EXPECT_THAT(world.names(api::kTask), IsEmpty());
}

// --- Failure policies ---

TEST(RunReconciler, AbortCancelsTheSiblings) {
  World world;
  world.start_operator();
  world.fail_step("b");
  world.hold_step("c");
  world.create_run("run", inline_run(specs::diamond()));
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_EQ(world.step_phases("run"), "a:Succeeded b:Failed c:Cancelled d:Skipped");
  EXPECT_EQ((*world.server.object(api::kTask, {kNamespace, "run-c"}))["spec"]["cancel"]["reason"],
            "run step \"b\" failed");
  EXPECT_THAT(world.events.lines,
              Contains(HasSubstr("Warning StepFailed on run: step \"b\" failed: Failed: exit")));
  EXPECT_EQ(world.events.count("Failed"), 1);
}

TEST(RunReconciler, ContinueRunsTheOtherBranch) {
  World world;
  world.start_operator();
  world.fail_step("b");
  world.create_run("run", inline_run(specs::diamond({{"onFailure", "Continue"}})));
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_EQ(world.step_phases("run"), "a:Succeeded b:Failed c:Succeeded d:Skipped");
}

TEST(RunReconciler, TimesOutAndEndsItsTasks) {
  World world;
  world.start_operator();
  world.hold_step("a");
  world.create_run("run", inline_run(spec({step("a"), step("b", {"a"})}, {{"timeout", "30s"}})));
  world.live(29s);
  EXPECT_EQ(world.phase("run"), "Running");
  world.live(3s);
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_EQ(reason(world, "run"), "Timeout");
  EXPECT_EQ(world.step_phases("run"), "a:Cancelled b:Skipped");
}

// --- Hands on a live run ---

TEST(RunReconciler, CancelBeforeTheStartNeedsNoDefinition) {
  World world;
  world.start_operator();
  world.create_run("run", {{"workflowName", "nowhere"}, {"cancel", {{"reason", "typo"}}}});
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Cancelled");
  EXPECT_THAT(message(world, "run"), HasSubstr("before it started: typo"));
}

TEST(RunReconciler, CancelEndsWhatRuns) {
  World world;
  world.start_operator();
  world.hold_step("b");
  world.create_run("run", inline_run(specs::diamond()));
  world.live(2s);
  world.edit_run("run", [](Json& run) { run["spec"]["cancel"] = {{"reason", "enough"}}; });
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Cancelled");
  EXPECT_EQ(world.step_phases("run"), "a:Succeeded b:Cancelled c:Succeeded d:Cancelled");
  EXPECT_EQ(world.events.count("Cancelled"), 1);
}

TEST(RunReconciler, SuspendHoldsAndResumeGoesOn) {
  World world;
  world.start_operator();
  world.create_run("run", inline_run(spec({step("a"), step("b", {"a"})}), {{"suspend", true}}));
  world.live(2s);
  EXPECT_EQ(world.phase("run"), "Suspended");
  EXPECT_THAT(world.names(api::kTask), IsEmpty());
  world.hold_step("a");
  world.edit_run("run", [](Json& run) { run["spec"]["suspend"] = false; });
  world.live(2s);
  EXPECT_EQ(world.phase("run"), "Running");
  world.edit_run("run", [](Json& run) { run["spec"]["suspend"] = true; });
  world.live(2s);
  world.hold_step("a", false);
  world.live(2s);
  EXPECT_EQ(world.step_phases("run"), "a:Running b:Pending")
      << "its Task has no agent yet, so it is suspended too";
  EXPECT_TRUE((*world.server.object(api::kTask, {kNamespace, "run-a"}))["spec"]["suspend"].get<bool>());
  world.edit_run("run", [](Json& run) { run["spec"].erase("suspend"); });
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_EQ(world.events.count("Suspended"), 2);
  EXPECT_EQ(world.events.count("Resumed"), 2);
}

TEST(RunReconciler, SaysWhoIsWaitedForAndWhoHasSpoken) {
  World world;
  world.start_operator();
  world.create_run("run", inline_run(spec({specs::bare("gate", {{"approval", {{"required", 2}}}})}),
                                     {{"createdBy", "carl"}}));
  const auto approve = [&](const char* user) {
    world.edit_run("run", [&](Json& run) {
      run["spec"]["approvals"].push_back({{"step", "gate"}, {"user", user}, {"decision", "Approve"}});
    });
    world.live(3s);
  };
  world.live(3s);
  approve("ann");
  approve("bob");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_EQ(world.run("run")["status"]["steps"][0]["approvedBy"], Json({"ann", "bob"}));
  EXPECT_THAT(
      world.events.lines,
      IsSupersetOf({StartsWith("Normal WaitingForApproval on run: step \"gate\": 0 of 2 approvals"),
                    StartsWith("Normal WaitingForApproval on run: step \"gate\": 1 of 2 approvals, by ann"),
                    StartsWith("Normal Approved on run: step \"gate\": approved by ann, bob")}));
}

TEST(RunReconciler, ADeletedTaskFailsItsStepAndIsNotRunAgain) {
  World world;
  world.start_operator();
  world.hold_step("a");
  world.create_run("run", inline_run(spec({step("a")})));
  world.live(2s);
  world.server.remove(api::kTask, {kNamespace, "run-a"});
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_THAT(message(world, "run"), HasSubstr("Task run-a was deleted"));
  EXPECT_THAT(world.names(api::kTask), IsEmpty());
}

TEST(RunReconciler, ATaskCancelledByHandEndsItsStep) {
  World world;
  world.start_operator();
  world.hold_step("a");
  world.create_run("run", inline_run(spec({step("a"), step("b", {"a"})})));
  world.live(2s);
  world.edit_task("run-a", [](Json& task) { task["spec"]["cancel"] = Json::object(); });
  world.finish("run");
  EXPECT_EQ(world.step_phases("run"), "a:Cancelled b:Skipped");
  EXPECT_EQ(world.phase("run"), "Failed");
}

TEST(RunReconciler, ATaskStrippedOfItsLabelsIsStillItsOwn) {
  World world;
  world.start_operator();
  world.hold_step("a");
  world.create_run("run", inline_run(spec({step("a")})));
  world.live(2s);
  world.edit_task("run-a", [](Json& task) { task["metadata"].erase("labels"); });
  world.hold_step("a", false);
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
}

TEST(RunReconciler, AWipedStatusIsMadeAgain) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", specs::diamond(kByHand));
  world.hold_step("b");
  world.create_run("run", {{"workflowName", "flow"}});
  world.live(3s);
  const auto before = world.run("run")["status"];
  world.edit_run("run", [](Json& run) { run.erase("status"); });
  world.live(3s);
  EXPECT_EQ(world.step_phases("run"), "a:Succeeded b:Running c:Succeeded d:Pending");
  EXPECT_EQ(world.run("run")["status"]["revision"], before["revision"]);
  EXPECT_EQ(world.run("run")["status"]["startedAt"], before["startedAt"]);
  world.hold_step("b", false);
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_THAT(world.journal(), Each(Pair(StartsWith("run/"), 1)));
}

TEST(RunReconciler, RunsWhoseTaskNamesCollideDoNotMix) {
  World world;
  world.start_operator();
  world.hold_step("b-c");
  world.hold_step("c");
  world.create_run("a", inline_run(spec({step("b-c")})));
  world.live(1s);
  world.create_run("a-b", inline_run(spec({step("c")})));
  world.live(1s);
  const auto uid = uid_of(world, "a-b");
  EXPECT_THAT(world.names(api::kTask),
              UnorderedElementsAre("a-b-c", alternative_child_name("a-b", uid, "c")));
  EXPECT_EQ(world.events.count("NameConflict"), 1);
  world.hold_step("b-c", false);
  world.hold_step("c", false);
  world.finish("a");
  world.finish("a-b");
  EXPECT_EQ(world.phase("a"), "Succeeded");
  EXPECT_EQ(world.phase("a-b"), "Succeeded");
  EXPECT_THAT(world.journal(), UnorderedElementsAre(Pair("a/b-c", 1), Pair("a-b/c", 1)));
}

TEST(RunReconciler, WithBothNamesTakenAStepFails) {
  World world;
  world.create_run("a-b", inline_run(spec({step("c")})));
  const auto uid = uid_of(world, "a-b");
  for (const auto& name : {std::string("a-b-c"), alternative_child_name("a-b", uid, "c")}) {
    world.server.put(api::kTask,
                     {{"metadata", {{"namespace", kNamespace}, {"name", name}}}, {"spec", {{"type", "x"}}}});
  }
  world.start_operator();
  world.finish("a-b");
  EXPECT_EQ(world.phase("a-b"), "Failed");
  EXPECT_THAT(message(world, "a-b"), HasSubstr("other objects have the names a-b-c and a-b-c-"));
}

TEST(RunReconciler, EditingTheWorkflowDoesNotChangeALiveRun) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a"), step("b", {"a"})}, kByHand));
  world.hold_step("a");
  world.create_run("run", {{"workflowName", "flow"}});
  world.live(2s);
  const auto pinned = world.run("run")["status"]["revision"];
  world.apply_workflow("flow", spec({step("x")}, kByHand));
  world.live(2s);
  EXPECT_NE(world.workflow("flow")["status"]["currentRevision"], pinned);
  world.start_operator();
  world.hold_step("a", false);
  world.finish("run");
  EXPECT_EQ(world.step_phases("run"), "a:Succeeded b:Succeeded");
  world.create_run("next", {{"workflowName", "flow"}});
  world.finish("next");
  EXPECT_EQ(world.step_phases("next"), "x:Succeeded");
  world.create_run("again", {{"workflowName", "flow"}, {"revision", pinned}});
  world.finish("again");
  EXPECT_EQ(world.step_phases("again"), "a:Succeeded b:Succeeded");
}

TEST(RunReconciler, ALiveRunWhoseRevisionIsGoneStallsAndCanBeCancelled) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a"), step("b", {"a"})}, kByHand));
  world.hold_step("a");
  world.create_run("run", {{"workflowName", "flow"}});
  world.live(2s);
  world.stop_operator();
  world.server.remove(api::kWorkflow, {kNamespace, "flow"});
  world.start_operator();
  world.live(2s);
  EXPECT_EQ(world.phase("run"), "Running");
  EXPECT_EQ(reason(world, "run"), "RevisionNotFound");
  EXPECT_TRUE(condition(world.run("run"), "Stalled"));
  world.edit_run("run", [](Json& run) { run["spec"]["cancel"] = Json::object(); });
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Cancelled");
  EXPECT_EQ(world.step_phases("run"), "a:Cancelled b:Cancelled");
}

// Of a run that lives, nothing may go on when it is cancelled, though its definition is gone.
void cancel_without_definition(const Json& definition, const std::string& row, const Json& more = {}) {
  World world;
  world.start_operator();
  world.apply_workflow("library", spec({step("inner")}, kByHand));
  Json flow = definition;
  flow.update(kByHand);
  world.apply_workflow("flow", flow);
  for (const char* held : {"a", "inner"}) {
    world.hold_step(held);
  }
  Json run = {{"workflowName", "flow"}, {"createdBy", "ann"}};
  run.update(more.is_null() ? Json::object() : more);
  world.create_run("run", run);
  world.live(3s);
  world.stop_operator();
  world.server.remove(api::kWorkflow, {kNamespace, "flow"});
  world.start_operator();
  world.live(2s);
  EXPECT_EQ(reason(world, "run"), "RevisionNotFound") << row;
  world.edit_run("run", [](Json& edited) { edited["spec"]["cancel"] = {{"reason", "enough"}}; });
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Cancelled") << row;
  EXPECT_THAT(message(world, "run"), StartsWith("cancelled: enough; nothing was undone")) << row;
  EXPECT_EQ(world.step_phases("run"), row);
  for (const auto& type : {api::kTask, api::kWorkflowRun}) {
    for (const auto& name : world.names(type)) {
      EXPECT_EQ((*world.server.object(type, {kNamespace, name}))["status"]["phase"], "Cancelled") << name;
    }
  }
}

TEST(RunReconciler, NothingGoesOnOfACancelledRunWhoseRevisionIsGone) {
  const Json two = {{"forEach", {{"range", {{"from", 1}, {"to", 2}}}}}};
  cancel_without_definition(spec({specs::bare("gate", {{"approval", Json::object()}})}), "gate:Cancelled");
  cancel_without_definition(spec({specs::bare("pause", {{"wait", {{"duration", "1h"}}}})}),
                            "pause:Cancelled");
  cancel_without_definition(spec({step("a", {}, two)}), "a:Cancelled");
  cancel_without_definition(spec({specs::bare("sub", {{"workflow", {{"name", "library"}}}})}),
                            "sub:Cancelled");
  cancel_without_definition(spec({step("a", {}, {{"repeat", {{"until", "false"}}}})}), "a:Cancelled");
  cancel_without_definition(spec({step("a")}, {{"mode", "StateMachine"}}), "a:Cancelled");
}

TEST(RunReconciler, ACancelledRunWhoseRevisionIsGoneLetsGoWhatItSuspended) {
  World world;
  world.start_operator();
  Json library = spec({step("inner")}, kByHand);
  library["finally"] = Json::array({step("tidy")});
  world.apply_workflow("library", library);
  Json flow = spec({specs::bare("sub", {{"workflow", {{"name", "library"}}}})});
  flow.update(kByHand);
  world.apply_workflow("flow", flow);
  world.hold_step("inner");
  world.create_run("run", {{"workflowName", "flow"}});
  world.live(3s);
  world.edit_run("run", [](Json& run) { run["spec"]["suspend"] = true; });
  world.live(3s);
  ASSERT_TRUE(world.run("run-sub")["spec"].value("suspend", false));
  world.stop_operator();
  world.server.remove(api::kWorkflow, {kNamespace, "flow"});
  world.start_operator();
  world.live(2s);
  world.edit_run("run", [](Json& run) {
    run["spec"]["cancel"] = {{"reason", "enough"}};
    run["spec"]["suspend"] = false;
  });
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Cancelled");
  EXPECT_EQ(world.step_phases("run-sub"), "inner:Cancelled tidy:Succeeded");
}

TEST(RunReconciler, LearnsThatTheRunBelowRefusedOneMoreRound) {
  World world;
  world.start_operator();
  world.apply_workflow("library", spec({step("inner")}, kByHand));
  Json flow = spec({specs::bare("sub", {{"workflow", {{"name", "library"}}},
                                        {"retry", {{"limit", 1}, {"backoff", {{"base", "10s"}}}}}})});
  flow.update(kByHand);
  world.apply_workflow("flow", flow);
  world.fail_step("inner");
  world.create_run("run", {{"workflowName", "flow"}});
  world.live(5s);
  ASSERT_EQ(world.phase("run-sub"), "Failed");
  ASSERT_EQ(world.phase("run"), "Running");
  world.stop_operator();
  world.server.remove(api::kWorkflow, {kNamespace, "library"});
  world.start_operator();
  world.live(30s);
  EXPECT_EQ(world.run("run-sub")["spec"]["retryFrom"]["round"], 1);
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_EQ(reason(world, "run"), "StepFailed");
}

TEST(RunReconciler, ARunWithNothingButARunBelowHasStarted) {
  for (const bool cancel : {true, false}) {
    World world;
    world.start_operator();
    world.apply_workflow("library", spec({step("inner")}, kByHand));
    world.apply_workflow("flow", spec({specs::bare("sub", {{"workflow", {{"name", "library"}}}})}, kByHand));
    world.hold_step("inner");
    world.live(2s);
    world.start_operator({1, true});  // it dies when it has made the run below, before it says so
    world.create_run("run", {{"workflowName", "flow"}});
    world.clock.settle();
    ASSERT_TRUE(world.operator_died());
    ASSERT_THAT(world.names(api::kWorkflowRun), UnorderedElementsAre("run", "run-sub"));
    world.stop_operator();
    const auto before = world.workflow("flow")["status"]["currentRevision"];
    world.apply_workflow("flow", spec({step("other")}, kByHand));
    if (cancel) {
      world.edit_run("run", [](Json& edited) { edited["spec"]["cancel"] = Json::object(); });
    }
    world.start_operator();
    world.live(3s);
    world.hold_step("inner", false);
    world.finish("run");
    EXPECT_EQ(world.phase("run"), cancel ? "Cancelled" : "Succeeded");
    EXPECT_EQ(world.phase("run-sub"), cancel ? "Cancelled" : "Succeeded");
    EXPECT_EQ(world.run("run")["status"]["revision"], before) << "editing changes no live run";
  }
}

TEST(RunReconciler, AnEndThatCouldNotBeWrittenIsDecidedAnew) {
  World world;
  world.start_operator();
  world.hold_step("end");
  world.fail_step("end");
  Json undoable = step("a");
  undoable["compensate"] = {{"type", "undo"}};
  world.create_run("run",
                   inline_run(spec({undoable}, {{"onFailure", "Compensate"}, {"finally", {step("end")}}})));
  world.live(5s);
  ASSERT_EQ(world.step_phases("run"), "a:Succeeded end:Running");
  world.server.fail_next({"PUT", "/status"}, Fault::conflict());
  world.hold_step("end", false);
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Failed");
  EXPECT_EQ(world.server.faults_left(), 0u);
  EXPECT_EQ(world.step_phases("run"), "a:Succeeded end:Failed") << "what failed came after the steps";
  EXPECT_THAT(world.names(api::kTask), UnorderedElementsAre("run-a", "run-end"));
}

TEST(RunReconciler, IsDeletedWhenItsTimeIsOver) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}, kByHand));
  world.fail_step("b");
  world.create_run("inline", inline_run(spec({step("a")})));
  world.create_run("failed", inline_run(spec({step("b")})));
  world.create_run("soon", {{"workflowName", "flow"}, {"ttlAfterFinished", "1m"}});
  world.create_run("kept", {{"workflowName", "flow"}});
  world.live(30s);
  EXPECT_THAT(world.names(api::kWorkflowRun), UnorderedElementsAre("inline", "failed", "soon", "kept"));
  world.clock.advance(1min);
  EXPECT_THAT(world.names(api::kWorkflowRun), UnorderedElementsAre("inline", "failed", "kept"));
  world.clock.advance(24h);
  EXPECT_THAT(world.names(api::kWorkflowRun), UnorderedElementsAre("failed", "kept"));
  world.clock.advance(6 * 24h);
  EXPECT_THAT(world.names(api::kWorkflowRun), UnorderedElementsAre("kept"));
  world.edit_run("kept", [](Json& run) { run["spec"]["ttlAfterFinished"] = "0s"; });
  world.live(1s);
  EXPECT_THAT(world.names(api::kWorkflowRun), IsEmpty());
}

TEST(RunReconciler, ADeletedRunGetsNoNewTasks) {
  World world;
  world.start_operator();
  world.hold_step("a");
  world.create_run("run", inline_run(spec({step("a"), step("b", {"a"})})));
  world.live(2s);
  world.server.remove(api::kWorkflowRun, {kNamespace, "run"});
  world.live(2s);
  EXPECT_THAT(world.names(api::kTask), IsEmpty()) << "collected with their owner";
}

// --- Success and its price ---

TEST(RunReconciler, AOneStepRunCostsTwoStatusWritesAndOneTask) {
  World world;
  world.start_operator();
  world.apply_workflow("flow", spec({step("a")}, kByHand));
  world.live(2s);
  world.server.forget_requests();
  world.create_run("run", {{"workflowName", "flow"}});
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_EQ(world.writes_to("/workflowruns"), 2);
  EXPECT_EQ(world.writes_to("/tasks"), 1);
}

TEST(RunReconciler, ADiamondPassesOutputsAlong) {
  World world;
  world.start_operator();
  world.create_run(
      "run",
      inline_run(specs::diamond({{"outputs", {{{"name", "d"}, {"value", "$(steps.d.outputs.by)"}}}}})));
  world.finish("run");
  const auto run = world.run("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_EQ(run["status"]["outputs"], (Json{{"d", "d"}}));
  EXPECT_EQ(run["status"]["progress"], "4/4");
  EXPECT_TRUE(condition(run, "Ready"));
  const auto task = world.server.object(api::kTask, {kNamespace, "run-d"}).value();
  EXPECT_EQ(task["spec"]["parameters"], (Json{{"b", "b"}, {"text", "from c"}}));
  EXPECT_EQ(task["metadata"]["labels"]["convoke.dev/step"], "d");
  EXPECT_EQ(task["metadata"]["labels"]["convoke.dev/run-uid"], run["metadata"]["uid"]);
  EXPECT_EQ(task["metadata"]["ownerReferences"][0]["controller"], true);
  EXPECT_EQ(task["metadata"]["ownerReferences"][0].value("blockOwnerDeletion", false), false);
  EXPECT_EQ(world.events.count("Succeeded"), 1);
}

TEST(RunReconciler, AChainOf500CostsFewWritesOfItsStatus) {
  World world;
  world.start_operator();
  world.create_run("run", inline_run(specs::chain(500)));
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_EQ(world.journal().size(), 500u);
  EXPECT_THAT(world.journal(), Each(Pair(StartsWith("run/"), 1)));
  EXPECT_EQ(world.writes_to("/tasks"), 500);
  EXPECT_LE(world.writes_to("/workflowruns"), 5) << "the agent is as fast as the clock is still";
}

TEST(RunReconciler, StatusWritesOfAWideRunAreSpacedOut) {
  World world;
  world.start_operator();
  std::vector<Json> steps;
  for (int i = 0; i < 50; ++i) {
    steps.push_back(step("s" + std::to_string(i)));
    world.hold_step("s" + std::to_string(i));
  }
  world.create_run("run", inline_run(spec(steps, {{"parallelism", 50}})));
  world.live(2s);
  for (int i = 0; i < 50; ++i) {
    world.hold_step("s" + std::to_string(i), false);
    world.live(100ms);
  }
  world.finish("run");
  EXPECT_EQ(world.phase("run"), "Succeeded");
  EXPECT_LE(world.writes_to("/workflowruns"), 9) << "five seconds of changes, one write each second";
}

// --- Crashes ---

struct CrashCase {
  const char* name;
  Json definition;
  std::vector<std::string> failing;
  std::string steps;
};

class Crash : public ::testing::TestWithParam<bool> {};

// Kills the operator at each of its writes in turn, before or after it is carried out.
void survive_every_crash(const CrashCase& crash_case, bool carried_out) {
  for (int at_write = 1; at_write < 100; ++at_write) {
    SCOPED_TRACE(std::string(crash_case.name) + ", write " + std::to_string(at_write));
    World world;
    for (const auto& step : crash_case.failing) {
      world.fail_step(step);
    }
    world.apply_workflow("flow", crash_case.definition);
    world.start_operator({at_write, carried_out});
    world.live(5s);
    const auto run = created_run_name("flow", world.workflow("flow")["metadata"]["uid"]);
    world.finish(run);
    EXPECT_EQ(world.step_phases(run), crash_case.steps);
    EXPECT_EQ(world.names(api::kWorkflowRun), std::vector<std::string>{run});
    EXPECT_EQ(world.names(api::kControllerRevision).size(), 1u);
    for (const auto& [step, times] : world.journal()) {
      EXPECT_EQ(times, 1) << step;
    }
    if (::testing::Test::HasFailure() || world.writes_to("/") < at_write) {
      EXPECT_GT(at_write, 5) << "there were that many writes at least";
      return;
    }
  }
  FAIL() << "more writes than expected";
}

TEST_P(Crash, AtAnyWriteOfADiamondLosesNothing) {
  survive_every_crash({"diamond", specs::diamond(), {}, "a:Succeeded b:Succeeded c:Succeeded d:Succeeded"},
                      GetParam());
}

TEST_P(Crash, AtAnyWriteOfAnAbortLosesNothing) {
  survive_every_crash({"abort", specs::diamond(), {"b"}, "a:Succeeded b:Failed c:Succeeded d:Skipped"},
                      GetParam());
}

INSTANTIATE_TEST_SUITE_P(BeforeAndAfter, Crash, ::testing::Bool(),
                         [](const auto& instance) { return instance.param ? "AfterIt" : "BeforeIt"; });

TEST(RunReconciler, AnEditOfAFinishedRunIsSeenOnceAndChangesNothingElse) {
  World world;
  world.start_operator();
  world.create_run("run", inline_run(spec({step("a")})));
  world.finish("run");
  const Json before = world.run("run");
  const int writes = world.writes_to("workflowruns");
  const auto events = world.events.lines.size();
  world.edit_run("run", [](Json& run) { run["spec"]["suspend"] = true; });
  world.live(10s);
  const Json after = world.run("run");
  EXPECT_EQ(after["metadata"]["generation"], 2);
  EXPECT_EQ(after["status"]["observedGeneration"], 2);
  Json expected = before["status"];
  expected["observedGeneration"] = 2;
  for (Json& entry : expected["conditions"]) {
    entry["observedGeneration"] = 2;
  }
  EXPECT_EQ(after["status"], expected);
  EXPECT_EQ(world.writes_to("workflowruns"), writes + 1);
  EXPECT_EQ(world.events.lines.size(), events);
}

TEST(RunReconciler, ARunBegunOnAnOlderRevisionStaysOnItAfterACrash) {
  World world;
  world.apply_workflow("flow", spec({step("a"), step("b", {"a"})}, kByHand));
  world.start_operator();
  world.live(2s);
  world.hold_step("a");
  world.start_operator({1, true});  // dies after it created the first Task, before any status
  world.create_run("run", {{"workflowName", "flow"}});
  world.clock.settle();
  ASSERT_TRUE(world.operator_died());
  world.stop_operator();
  EXPECT_FALSE(world.run("run").contains("status"));
  ASSERT_EQ(world.names(api::kTask).size(), 1u);
  world.apply_workflow("flow", spec({step("x")}, kByHand));
  world.start_operator();
  world.hold_step("a", false);
  world.finish("run");
  EXPECT_EQ(world.step_phases("run"), "a:Succeeded b:Succeeded");
}

}  // namespace
}  // namespace convoke::workflow
