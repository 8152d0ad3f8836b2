#include "reconcilers/workflow/run_decide.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_status.h"
#include "tests/unit/reconcilers/workflow/play.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using api::RunPhase;
using api::StepPhase;
using api::TaskPhase;
using specs::spec;
using specs::step;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

bool has_condition(const api::WorkflowRunStatus& status, const char* type) {
  const auto* found = api::find_condition(status.conditions, type);
  return found != nullptr && found->status;
}

// --- Failure ---

TEST(RunDecide, AbortEndsTheOthersAndStartsNothingNew) {
  Play play(spec({step("a"), step("b"), step("c", {"a"})}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-a", "run-b"));
  play.fail("a");
  auto decision = play.next();
  EXPECT_THAT(decision.starts, IsEmpty());
  ASSERT_EQ(decision.patches.size(), 1u);
  EXPECT_EQ(play.task_of("b")->spec.cancel->reason, "run step \"a\" failed");
  EXPECT_EQ(play.phases(), "a:Failed b:Running c:Skipped");
  EXPECT_EQ(play.status().phase, RunPhase::Running);
  EXPECT_EQ(play.status().reason, "StepFailed");
  EXPECT_THAT(play.next().patches, IsEmpty());
  play.task("b", TaskPhase::Cancelled);
  play.next();
  EXPECT_EQ(play.phases(), "a:Failed b:Cancelled c:Skipped");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "StepFailed");
  EXPECT_TRUE(has_condition(play.status(), api::condition::kStalled));
  EXPECT_FALSE(has_condition(play.status(), api::condition::kReady));
}

TEST(RunDecide, ATaskThatAFormerLeaderMadeTooLateIsCancelled) {
  Play play(spec({step("a"), step("b"), step("c", {"a"}),
                  step("each", {"a"}, {{"forEach", {{"range", {{"from", 1}, {"to", 2}}}}}})}));
  play.next();
  play.fail("a");
  play.next();
  ASSERT_EQ(play.phases(), "a:Failed b:Running c:Skipped each:Skipped");
  for (const auto& key : {ChildKey{2}, ChildKey{3, 1}}) {
    api::Task late;
    late.meta.name = first_name(play.run(), play.snapshot().definition->step(key.step).name, key);
    play.snapshot().children[key].task = std::make_shared<const api::Task>(late);
  }
  play.next();
  EXPECT_TRUE(play.task_of("c")->spec.cancel);
  EXPECT_TRUE(play.task_of("each-1")->spec.cancel);
  EXPECT_EQ(play.phases(), "a:Failed b:Running c:Skipped each:Skipped");
  EXPECT_THAT(play.next().patches, IsEmpty());
}

TEST(RunDecide, AFailureSaysWhichStepAndWhy) {
  Play play(spec({step("a")}));
  play.next();
  play.fail("a", "exit status 2: undefined reference");
  play.next();
  EXPECT_EQ(play.status().message, "step \"a\" failed: exit status 2: undefined reference");
  EXPECT_EQ(play.row("a").message, "exit status 2: undefined reference");
  EXPECT_EQ(play.status().progress, "1/1");
}

TEST(RunDecide, ContinueRunsWhatDoesNotDependOnTheFailure) {
  Play play(spec({step("a"), step("b", {"a"}), step("c", {"b"}), step("x"), step("y", {"x"})},
                 {{"onFailure", "Continue"}}));
  play.next();
  play.fail("a");
  play.next();
  EXPECT_EQ(play.phases(), "a:Failed b:Skipped c:Skipped x:Running y:Pending");
  EXPECT_EQ(play.row("b").reason, "DependencyFailed");
  EXPECT_EQ(play.row("b").message, "step \"a\" is Failed");
  play.succeed("x");
  play.next();
  play.succeed("y");
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "StepFailed");
  EXPECT_THAT(play.status().message, HasSubstr("\"a\""));
  EXPECT_EQ(play.status().progress, "3/5");
  EXPECT_EQ(play.status().counts, (api::StepCounts{5, 0, 0, 2, 1, 2, 0, 0}));
}

TEST(RunDecide, AnOptionalFailureCountsAsDone) {
  Play play(spec({step("a", {}, {{"optional", true}}), step("b", {"a"})},
                 {{"outputs",
                   {{{"name", "lost"}, {"value", "$(steps.a.outputs.x)"}},
                    {{"name", "phase"}, {"value", "$(steps.a.phase)"}},
                    {{"name", "kept"}, {"value", "$(steps.b.outputs.x)"}}}}}));
  play.next();
  play.fail("a");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-b"));
  play.succeed("b", {{"x", 1}});
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
  EXPECT_EQ(play.status().outputs, R"({"kept":1,"phase":"Failed"})");
}

TEST(RunDecide, AStepThatNeedsAnOptionalStepsOutputFailsWithItsName) {
  Play play(spec({step("a", {}, {{"optional", true}}),
                  step("b", {"a"}, {{"task", {{"parameters", {{"x", "$(steps.a.outputs.x)"}}}}}})}));
  play.next();
  play.fail("a");
  play.next();
  EXPECT_EQ(play.phases(), "a:Failed b:Failed");
  EXPECT_EQ(play.row("b").reason, "UnknownName");
  EXPECT_THAT(play.row("b").message, HasSubstr("steps.a has no \"outputs\""));
  EXPECT_EQ(play.row("b").task_name, "");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunDecide, AParameterThatWasNotGivenIsAnErrorThatNamesIt) {
  Play play(spec({step("a", {}, {{"task", {{"title", "v$(params.version)"}}}}), step("b")},
                 {{"parameters", {{{"name", "version"}}}}}));
  const auto decision = play.next();
  EXPECT_THAT(decision.starts, IsEmpty()) << "under Abort nothing starts beside a failure";
  EXPECT_EQ(play.phases(), "a:Failed b:Skipped");
  EXPECT_THAT(play.status().message, HasSubstr("params has no \"version\""));
}

TEST(RunDecide, AnExpandedTaskThatIsTooLargeFailsItsStep) {
  Json texts = Json::array();
  for (int i = 0; i < 12; ++i) {
    texts.push_back("$(params.big)");
  }
  Play play(spec({step("a", {}, {{"task", {{"parameters", {{"x", texts}}}}}})},
                 {{"parameters", {{{"name", "big"}}}}}),
            dump_json(Json{{"big", std::string(100'000, 'x')}}));
  play.next();
  EXPECT_EQ(play.row("a").reason, "TaskTooLarge");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunDecide, ARefusedTaskFailsItsStepOnly) {
  Play play(spec({step("a"), step("b")}, {{"onFailure", "Continue"}}));
  play.next();
  play.wipe_status();
  play.refuse("a", "admission webhook said no");
  play.next();
  EXPECT_EQ(play.phases(), "a:Failed b:Running");
  EXPECT_EQ(play.row("a").reason, "TaskRefused");
  EXPECT_EQ(play.row("a").message, "admission webhook said no");
}

TEST(RunDecide, ADeletedTaskIsNotMadeAgain) {
  Play play(spec({step("a")}));
  play.next();
  play.lose_task("a");
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.row("a").reason, "TaskDeleted");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_THAT(play.status().message, HasSubstr("Task run-a was deleted"));
}

TEST(RunDecide, ATaskCancelledByHandFailsTheRun) {
  Play play(spec({step("a"), step("b", {"a"})}));
  play.next();
  play.task("a", TaskPhase::Cancelled);
  play.next();
  EXPECT_EQ(play.phases(), "a:Cancelled b:Skipped");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().message, "step \"a\" was cancelled");
}

TEST(RunDecide, ManyFailuresAreNamedOnlyInPart) {
  std::vector<Json> steps;
  for (int i = 0; i < 9; ++i) {
    steps.push_back(step("s" + std::to_string(i)));
  }
  Play play(spec(steps, {{"onFailure", "Continue"}}));
  play.next();
  for (int i = 0; i < 9; ++i) {
    play.fail("s" + std::to_string(i), "");
  }
  play.next();
  EXPECT_THAT(play.status().message,
              StartsWith("steps \"s0\", \"s1\", \"s2\", \"s3\", \"s4\" and 4 more failed"));
}

TEST(RunDecide, AMissingOutputFailsTheRun) {
  Play play(spec({step("a")}, {{"outputs", {{{"name", "image"}, {"value", "$(steps.a.outputs.image)"}}}}}));
  play.next();
  play.succeed("a", {{"other", 1}});
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "InvalidOutput");
  EXPECT_THAT(play.status().message, HasSubstr("spec.outputs[image].value"));
  EXPECT_THAT(play.status().message, HasSubstr("has no \"image\"; there are other"));
}

TEST(RunDecide, LongMessagesAreCutBetweenCharacters) {
  Play play(spec({step("a")}));
  play.next();
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) {
    umlauts += "ü";
  }
  play.fail("a", umlauts);
  play.next();
  EXPECT_LE(play.row("a").message.size(), 256u);
  EXPECT_NO_THROW(Json(play.row("a").message).dump());
}

// --- Cancellation, timeout, suspension ---

TEST(RunDecide, CancelEndsTasksAndWaitsForThem) {
  Play play(spec({step("a"), step("b"), step("c", {"a"})}));
  play.next();
  play.run_spec().cancel = api::RunCancel{"wrong version"};
  EXPECT_EQ(play.next().patches.size(), 2u);
  EXPECT_EQ(play.phases(), "a:Running b:Running c:Cancelled");
  EXPECT_EQ(play.task_of("a")->spec.cancel->reason, "run cancelled: wrong version");
  EXPECT_EQ(play.status().phase, RunPhase::Running);
  play.task("a", TaskPhase::Cancelled);
  play.succeed("b");
  play.next();
  EXPECT_EQ(play.phases(), "a:Cancelled b:Succeeded c:Cancelled");
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
  EXPECT_EQ(play.status().message, "cancelled: wrong version");
  EXPECT_EQ(play.status().progress, "2/3");
}

TEST(RunDecide, CancelIsKnownAgainAfterItsRecordIsLost) {
  Play play(spec({step("a")}));
  play.next();
  play.run_spec().cancel = api::RunCancel{};
  const auto before = play.status();
  play.next();
  play.snapshot().status = before;  // the write was lost
  play.task("a", TaskPhase::Cancelled);
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
}

TEST(RunDecide, CancelComesTooLateForARunThatIsDone) {
  Play play(spec({step("a")}));
  play.next();
  play.succeed("a");
  play.run_spec().cancel = api::RunCancel{};
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
}

TEST(RunDecide, TimeoutEndsTheRun) {
  Play play(spec({step("a"), step("b", {"a"})}, {{"timeout", "10m"}}));
  EXPECT_EQ(play.next().wake_after, Duration(10min));
  play.pass(4min);
  EXPECT_EQ(play.next().wake_after, Duration(6min));
  play.pass(6min);
  EXPECT_EQ(play.next().patches.size(), 1u);
  EXPECT_EQ(play.status().reason, "Timeout");
  EXPECT_EQ(play.row("b").reason, "RunTimeout");
  play.task("a", TaskPhase::Cancelled);
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "Timeout");
  EXPECT_EQ(play.status().message, "timed out after 10m");
}

TEST(RunDecide, WithoutATimeoutARunHasAnHourAndWhatItsStepsMayWait) {
  EXPECT_EQ(Play(spec({step("a")})).next().wake_after, Duration(1h));
  const Json gate = {{"name", "gate"}, {"dependsOn", {"a"}}, {"approval", {{"required", 1}}}};
  const Json rest = {{"name", "rest"}, {"dependsOn", {"gate"}}, {"wait", {{"duration", "90m"}}}};
  const Json signal = {{"name", "signal"},
                       {"dependsOn", {"rest"}},
                       {"timeout", "2h"},
                       {"wait", {{"event", {{"type", "done"}}}}}};
  EXPECT_EQ(Play(spec({step("a"), gate, rest, signal})).next().wake_after, Duration(28h + 30min));
}

TEST(RunDecide, TheFirstCauseOfTheEndIsKept) {
  Play play(spec({step("a"), step("b")}, {{"timeout", "10m"}}));
  play.next();
  play.pass(10min);
  play.next();
  play.run_spec().cancel = api::RunCancel{};
  play.task("a", TaskPhase::Cancelled);
  play.task("b", TaskPhase::Cancelled);
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "Timeout");
}

TEST(RunDecide, SuspendHoldsWhatNoAgentHasYet) {
  Play play(spec({step("a"), step("b"), step("c", {"b"})}));
  play.next();
  play.task("a", TaskPhase::Queued);
  play.task("b", TaskPhase::Running);
  play.run_spec().suspend = true;
  const auto decision = play.next();
  ASSERT_EQ(decision.patches.size(), 1u);
  EXPECT_EQ(decision.patches[0].patch["metadata"]["resourceVersion"], "7");
  EXPECT_TRUE(play.task_of("a")->spec.suspend);
  EXPECT_FALSE(play.task_of("b")->spec.suspend);
  EXPECT_EQ(play.status().phase, RunPhase::Suspended);
  play.succeed("b");
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.phases(), "a:Running b:Succeeded c:Pending");

  play.run_spec().suspend = false;
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-c"));
  EXPECT_FALSE(play.task_of("a")->spec.suspend);
  EXPECT_EQ(play.status().phase, RunPhase::Running);
}

TEST(RunDecide, ATaskSuspendedByHandIsNotResumedWithTheRun) {
  Play play(spec({step("a")}));
  play.next();
  api::Task task = *play.task_of("a");
  task.spec.suspend = true;
  play.replace(task);
  EXPECT_THAT(play.next().patches, IsEmpty());
}

TEST(RunDecide, ASuspendedRunStillEndsWhenAllIsDone) {
  Play play(spec({step("a")}));
  play.next();
  play.run_spec().suspend = true;
  play.next();
  play.succeed("a");
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
}

// --- What was lost ---

TEST(RunDecide, AWipedStatusIsBuiltAgainFromTheTasks) {
  Play play(specs::diamond());
  play.next();
  play.pass(1min);
  play.succeed("a");
  play.next();
  const auto before = play.status();
  play.wipe_status();
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.phases(), "a:Succeeded b:Running c:Running d:Pending");
  EXPECT_EQ(play.status().started_at, before.started_at);
  EXPECT_EQ(play.row("b").task_name, "run-b");
  EXPECT_EQ(play.row("a").started_at, before.steps[0].started_at);
}

TEST(RunDecide, ARowThatEndedDoesNotNeedItsTask) {
  Play play(spec({step("a"), step("b", {"a"})}));
  play.next();
  play.succeed("a");
  play.next();
  play.lose_finished_task("a");
  play.next();
  EXPECT_EQ(play.phases(), "a:Succeeded b:Running");
}

TEST(RunDecide, TheSameSnapshotGivesTheSameDecision) {
  Play play(specs::diamond());
  play.next();
  play.succeed("a");
  play.next();
  const auto status = play.status();
  const auto again = play.next();
  EXPECT_EQ(again.status, status);
  EXPECT_THAT(again.starts, IsEmpty());
}

// --- Success ---

TEST(RunDecide, RunsADiamondAndPassesOutputsOn) {
  Play play(specs::diamond({{"outputs", {{{"name", "all"}, {"value", {{"b", "$(steps.b.outputs)"}}}}}}}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-a"));
  EXPECT_EQ(play.status().phase, RunPhase::Running);
  EXPECT_TRUE(has_condition(play.status(), api::condition::kReconciling));
  play.succeed("a");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-b", "run-c"));
  play.succeed("c", {{"by", "carol"}});
  EXPECT_THAT(play.next().starts, IsEmpty());
  play.succeed("b", {{"by", 7}});
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-d"));
  EXPECT_EQ(play.spec_of("d"), (Json{{"type", "work"}, {"parameters", {{"b", 7}, {"text", "from carol"}}}}));
  play.succeed("d");
  play.pass(192s);
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
  EXPECT_EQ(play.status().message, "4 of 4 steps succeeded in 3m12s");
  EXPECT_EQ(play.status().outputs, R"({"all":{"b":{"by":7}}})");
  EXPECT_EQ(play.status().progress, "4/4");
  EXPECT_TRUE(has_condition(play.status(), api::condition::kReady));
  EXPECT_FALSE(has_condition(play.status(), api::condition::kStalled));
}

TEST(RunDecide, HonoursParallelism) {
  Play play(spec({step("a"), step("b"), step("c")}, {{"parallelism", 2}}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-a", "run-b"));
  play.succeed("b");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-c"));
}

TEST(RunDecide, SequentialRunsOneStepAfterTheOther) {
  Play play(spec({step("c"), step("a")}, {{"mode", "Sequential"}}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-c"));
  play.succeed("c");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-a"));
}

TEST(RunDecide, ParallelStartsEverything) {
  Play play(spec({step("a"), step("b")}, {{"mode", "Parallel"}}));
  EXPECT_EQ(play.next().starts.size(), 2u);
}

TEST(RunDecide, TheTaskGetsTheStepsRetryAndTimeout) {
  const Json retry = {{"limit", 7}, {"backoff", {{"base", "1s"}}}};
  Play play(
      spec({step("a", {}, {{"retry", retry}, {"timeout", "5m"}}), step("b")}, {{"retry", {{"limit", 1}}}}));
  play.next();
  EXPECT_EQ(play.spec_of("a")["retry"]["limit"], 7);
  EXPECT_EQ(play.spec_of("a")["retry"]["backoff"]["base"], "1s");
  EXPECT_EQ(play.spec_of("a")["timeout"], "5m");
  EXPECT_EQ(play.spec_of("b")["retry"]["limit"], 1);
  EXPECT_FALSE(play.spec_of("b").contains("timeout"));
}

TEST(RunDecide, TemplatesKnowTheRunAndItsWorkflow) {
  Play play(spec({step("a", {},
                       {{"task",
                         {{"title", "$(workflow.name)/$(run.name)"},
                          {"parameters", {{"n", "$(params.n)"}, {"id", "$(run.namespace).$(run.uid)"}}}}}})},
                 {{"parameters", {{{"name", "n"}, {"type", "Number"}}}}}),
            R"({"n":3})");
  play.next();
  EXPECT_EQ(play.spec_of("a")["title"], "flow/run");
  EXPECT_EQ(play.spec_of("a")["parameters"], (Json{{"n", 3}, {"id", "ns.run-uid"}}));
}

TEST(RunDecide, ATakenNameGivesWayToTheSecond) {
  Play play(spec({step("a")}));
  play.snapshot().name_taken.insert({0});
  const auto starts = names_of(play.next().starts);
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_THAT(starts[0], StartsWith("run-a-"));
  EXPECT_EQ(play.row("a").task_name, starts[0]);
}

// --- Size ---

TEST(RunDecide, ParametersThatDoNotFitEndTheRunBeforeItStarts) {
  Play play(spec({step("a")}, {{"parameters", {{{"name", "big"}}}}}),
            dump_json(Json{{"big", std::string(300'000, 'x')}}));
  const auto decision = play.next();
  EXPECT_THAT(decision.starts, IsEmpty());
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "StatusTooLarge");
  EXPECT_THAT(play.status().message, HasSubstr("at most 253952 fit"));
  EXPECT_EQ(play.phases(), "a:Skipped");
  EXPECT_LT(dump_json(api::status_update(*play.snapshot().run, play.status())).size(), 10'000u);
}

TEST(RunDecide, OutputsThatDoNotFitEndTheRun) {
  Play play(spec({step("a")}, {{"outputs",
                                {{{"name", "x"}, {"value", "$(steps.a.outputs)"}},
                                 {{"name", "y"}, {"value", "$(steps.a.outputs)"}}}}}));
  play.next();
  play.succeed("a", {{"x", std::string(150'000, 'x')}});
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_LT(dump_json(api::status_update(*play.snapshot().run, play.status())).size(), 10'000u);
}

TEST(RunDecide, RowsLoseTheirMessagesBeforeTheStatusIsTooLarge) {
  std::vector<Json> steps;
  for (int i = 0; i < 1000; ++i) {
    steps.push_back(step("s" + std::to_string(i)));
  }
  Play play(spec(steps, {{"onFailure", "Continue"}, {"parallelism", 1000}}));
  play.settle();
  for (int i = 0; i < 1000; ++i) {
    play.fail("s" + std::to_string(i), std::string(250, 'm'));
  }
  play.next();
  EXPECT_EQ(play.status().reason, "StepFailed");
  EXPECT_EQ(play.row("s999").message, "");
  EXPECT_LE(dump_json(api::status_update(*play.snapshot().run, play.status())["status"]).size(),
            kMaxStatusBytes);
}

TEST(RunDecide, TwoThousandStepsFit) {
  std::vector<Json> steps;
  std::vector<std::string> names;
  for (int i = 0; i < 2000; ++i) {
    names.push_back("load-the-region-" + std::to_string(i));
    steps.push_back(step(names.back()));
  }
  Play play(spec(steps, {{"parallelism", 2000}}));
  play.settle();
  for (const auto& name : names) {
    EXPECT_NE(play.row(name).task_name, "");
    play.succeed(name);
  }
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
  EXPECT_EQ(play.status().progress, "2000/2000");
  EXPECT_EQ(play.row(names.back()).task_name, "") << "it follows from the step's name";
  EXPECT_LE(dump_json(api::status_update(*play.snapshot().run, play.status())).size(), 256u * 1024);
}

// What fits when all steps have succeeded fits when they are undone, though that is said of each.
TEST(RunDecide, AnUndoFits) {
  constexpr int kSteps = 30;
  std::vector<Json> steps;
  for (int i = 0; i < kSteps; ++i) {
    steps.push_back(step("step-" + std::to_string(i), {}, {{"compensate", {{"type", "undo"}}}}));
  }
  steps.push_back(step("last"));
  Play play(
      spec(steps, {{"parallelism", 2000}, {"onFailure", "Compensate"}, {"parameters", {{{"name", "big"}}}}}),
      dump_json(Json{{"big", std::string(250'000, 'x')}}));
  play.settle();
  for (int i = 0; i < kSteps; ++i) {
    play.succeed("step-" + std::to_string(i));
  }
  play.fail("last");
  play.settle();
  for (int undone = 0; play.status().phase == RunPhase::Compensating && undone < kSteps; ++undone) {
    play.succeed(play.created().back());
    play.next();
    play.next();
  }
  EXPECT_EQ(play.status().phase, RunPhase::Compensated) << play.status().message;
  EXPECT_EQ(play.status().counts.compensated, kSteps);
}

TEST(RunDecide, AStepThatIsHeldBackWaitsAndTheOthersGoOn) {
  Play play(spec({step("a"), step("b"), step("c", {"a"})}));
  play.snapshot().held[{1, -1, 0, 0, false}] = "over quota";
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-a"));
  EXPECT_EQ(play.phases(), "a:Running b:Pending c:Pending");
  EXPECT_EQ(play.row("b").reason, "TaskRefused");
  EXPECT_THAT(play.status().message, HasSubstr("refused for now: over quota"));
  play.succeed("a");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-c"));
  play.snapshot().held.clear();
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-b"));
  EXPECT_EQ(play.row("b").reason, "");
}

TEST(RunDecide, AnItemThatIsHeldBackWaitsAndTheOthersGoOn) {
  const Json three = {{"forEach", {{"range", {{"from", 1}, {"to", 3}}}}}};
  Play play(spec({step("each", {}, three)}));
  play.snapshot().held[{0, 1, 0, 0, false}] = "over quota";
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-0", "run-each-2"));
  EXPECT_EQ(play.row("each").items, "1r1p1r");
  play.succeed("each-0");
  play.succeed("each-2");
  play.next();
  EXPECT_EQ(play.row("each").phase, api::StepPhase::Running);
  play.snapshot().held.clear();
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-1"));
}

TEST(RunDecide, AStatusThatCannotFitCancelsWhatRuns) {
  std::vector<Json> steps;
  for (int i = 0; i < 2000; ++i) {
    steps.push_back(step("quite-a-long-name-for-a-step-" + std::to_string(i)));
  }
  Play play(spec(steps, {{"parallelism", 2000}, {"parameters", {{{"name", "big"}}}}}),
            dump_json(Json{{"big", std::string(100'000, 'x')}}));
  const auto decision = play.next();
  EXPECT_THAT(decision.starts, IsEmpty()) << "it is known before anything starts";
  EXPECT_EQ(play.status().reason, "StatusTooLarge");
  EXPECT_EQ(play.status().counts.skipped, 2000);
  EXPECT_LE(dump_json(api::status_update(*play.snapshot().run, play.status())["status"]).size(),
            kMaxStatusBytes);
}

}  // namespace
}  // namespace convoke::workflow
