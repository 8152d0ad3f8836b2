// The undo of a run, and going on with a run that failed.
#include "reconcilers/workflow/compensation.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/retry_round.h"
#include "tests/unit/reconcilers/workflow/play.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using api::RunPhase;
using api::TaskPhase;
using specs::spec;
using specs::step;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Json undoable(const std::string& name, const std::vector<std::string>& depends_on = {},
              const Json& more = Json::object()) {
  Json result =
      step(name, depends_on,
           {{"compensate", {{"type", "undo"}, {"title", "undo $(steps." + name + ".outputs.id)"}}}});
  result.merge_patch(more);
  return result;
}

Json saga(std::vector<Json> steps, const Json& more = Json::object()) {
  Json result = spec(std::move(steps), more);
  result["onFailure"] = "Compensate";
  return result;
}

// Ends the step's Task some time after whatever ended before.
void succeed(Play& play, const std::string& name) {
  play.pass(2s);
  play.succeed(name, {{"id", "of " + name}});
  play.settle();
}

TEST(Compensation, UndoesInReverseOrderOneAfterTheOther) {
  Play play(
      saga({undoable("flight"), undoable("hotel"), step("note"), step("pay", {"flight", "hotel", "note"})}));
  play.settle();
  succeed(play, "hotel");
  succeed(play, "note");
  succeed(play, "flight");
  play.fail("pay", "no money");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Compensating);
  EXPECT_EQ(play.status().reason, "StepFailed");
  EXPECT_THAT(play.created(), ElementsAre("flight", "hotel", "note", "pay", "flight-undo"));
  EXPECT_EQ(play.spec_of("flight-undo")["title"], "undo of flight");
  EXPECT_EQ(play.phases(), "flight:Compensating hotel:Succeeded note:Succeeded pay:Failed");
  succeed(play, "flight-undo");
  EXPECT_THAT(play.created(), ElementsAre("flight", "hotel", "note", "pay", "flight-undo", "hotel-undo"));
  succeed(play, "hotel-undo");
  EXPECT_EQ(play.status().phase, RunPhase::Compensated);
  EXPECT_EQ(play.phases(), "flight:Compensated hotel:Compensated note:Succeeded pay:Failed");
  EXPECT_EQ(play.status().message, "step \"pay\" failed: no money; undone: \"flight\", \"hotel\"");
}

TEST(Compensation, WaitsUntilEverythingElseHasEnded) {
  Play play(saga({undoable("a"), step("b"), step("c", {"a"})}));
  play.settle();
  succeed(play, "a");
  play.fail("c");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Running);
  EXPECT_TRUE(play.task_of("b")->spec.cancel);
  play.succeed("b");  // it was quicker than its cancellation
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Compensating);
}

TEST(Compensation, BeginsOnlyWhenTheOrderIsOnRecord) {
  Play play(saga({undoable("a"), step("b", {"a"})}));
  play.settle();
  succeed(play, "a");
  play.fail("b");
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.status().phase, RunPhase::Compensating);
  EXPECT_EQ(play.row("a").order, 1);
  EXPECT_EQ(play.next().starts.size(), 1u);
}

// The operator died after it had started the next step, and before it wrote that the one before had ended.
TEST(Compensation, KeepsTheOrderThoughTheRecordOfTheEndsWasLost) {
  const Json two = {{"forEach", {{"range", {{"from", 1}, {"to", 2}}}}}};
  Play play(saga({undoable("each", {}, two), undoable("next", {"each"}), step("last", {"next"})}));
  play.settle();
  succeed(play, "each-0");
  succeed(play, "each-1");
  play.pass(300ms);
  play.succeed("next");
  play.wipe_status();
  play.pass(300ms);
  play.settle();
  EXPECT_EQ(play.row("each").completed_at, play.task_of("each-1")->status.completed_at);
  EXPECT_EQ(play.row("each").order, 1);
  EXPECT_EQ(play.row("next").order, 2);
}

TEST(Compensation, UndoesNoStepBeforeOneThatWaitedForItWhateverTheTimesSay) {
  Play play(saga({undoable("a"), step("between", {"a"}), undoable("b", {"between"}), undoable("beside"),
                  step("last", {"b", "beside"})}));
  play.settle();
  succeed(play, "a");
  succeed(play, "between");
  succeed(play, "b");
  succeed(play, "beside");
  auto late = *play.task_of("a");  // by the clock of another operator
  late.status.completed_at = format_micro_time(kStart + 7s);
  play.replace(late);
  play.wipe_status();
  play.settle();
  EXPECT_EQ(play.row("a").order, 1);
  EXPECT_EQ(play.row("b").order, 2);
  EXPECT_EQ(play.row("beside").order, 3);
}

TEST(Compensation, ThatFailsLeavesTheOthersToBeUndone) {
  Play play(saga({undoable("a"), undoable("b", {"a"}), step("c", {"b"})}));
  play.settle();
  succeed(play, "a");
  succeed(play, "b");
  play.fail("c");
  play.settle();
  play.fail("b-undo", "it is locked");
  play.settle();
  succeed(play, "a-undo");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "CompensationFailed");
  EXPECT_THAT(play.status().message, HasSubstr("the effects of \"b\" stand; undone: \"a\""));
  EXPECT_THAT(play.row("b").message, HasSubstr("it is locked"));
}

TEST(Compensation, ThatCannotBeExpandedHasFailed) {
  Json definition = saga({undoable("a"), step("b", {"a"})});
  definition["steps"][0]["compensate"]["title"] = "$(steps.a.outputs.missing)";
  Play play(definition);
  play.settle();
  succeed(play, "a");
  play.fail("b");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "CompensationFailed");
  EXPECT_THAT(play.row("a").message, HasSubstr("missing"));
}

TEST(Compensation, WhoseTaskIsDeletedIsNotTakenForDone) {
  Play play(saga({undoable("a"), step("b", {"a"})}));
  play.settle();
  succeed(play, "a");
  play.fail("b");
  play.settle();
  play.lose_task("a-undo");
  play.settle();
  EXPECT_EQ(play.status().reason, "CompensationFailed");
}

TEST(Compensation, WithNothingToUndoTheRunHasJustFailed) {
  Play play(saga({undoable("a")}));
  play.settle();
  play.fail("a");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "StepFailed");
}

TEST(Compensation, OfACancelledRunIsAskedFor) {
  for (const bool compensate : {false, true}) {
    Play play(saga({undoable("a"), step("b", {"a"})}));
    play.settle();
    succeed(play, "a");
    play.run_spec().cancel = api::RunCancel{"changed my mind", compensate};
    play.settle();
    play.task("b", TaskPhase::Cancelled);
    play.settle();
    EXPECT_EQ(play.status().phase, compensate ? RunPhase::Compensating : RunPhase::Cancelled);
  }
}

TEST(Compensation, OfARunThatTimedOut) {
  Play play(saga({undoable("a"), step("b", {"a"})}, {{"timeout", "1m"}}));
  play.settle();
  succeed(play, "a");
  play.pass(1min);
  play.settle();
  play.task("b", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Compensating);
  EXPECT_EQ(play.status().reason, "Timeout");
  succeed(play, "a-undo");
  EXPECT_EQ(play.status().phase, RunPhase::Compensated);
  EXPECT_EQ(play.status().reason, "Timeout");
}

TEST(Compensation, OfAFanOutUndoesEachItemThatSucceeded) {
  Json each =
      step("each", {},
           {{"forEach", {{"range", {{"from", 1}, {"to", 3}}}}},
            {"compensate", {{"type", "undo"}, {"title", "$(item) $(index) $(steps.each.outputs.id)"}}}});
  Play play(saga({each}));
  play.settle();
  succeed(play, "each-0");
  succeed(play, "each-2");
  play.fail("each-1");
  play.settle();
  EXPECT_EQ(play.spec_of("each-2-undo")["title"], "3 2 of each-2");
  EXPECT_TRUE(play.spec_of("each-0-undo").is_null());
  succeed(play, "each-2-undo");
  succeed(play, "each-0-undo");
  EXPECT_EQ(play.status().phase, RunPhase::Compensated) << play.status().message;
  EXPECT_EQ(play.row("each").items, "1u1f1u");
}

Json undoable_items(int count) {
  return step("each", {},
              {{"forEach", {{"range", {{"from", 1}, {"to", count}}}}}, {"compensate", {{"type", "undo"}}}});
}

// The undo of item 1 has failed, and that of item 0 cannot start now.
void fail_one_undo_of_two(Play& play) {
  play.settle();
  succeed(play, "each-0");
  succeed(play, "each-1");
  play.fail("last");
  play.settle();
  ASSERT_EQ(play.created().back(), "each-1-undo");
  play.fail("each-1-undo");
}

TEST(Compensation, ThatIsHeldBackAfterAnotherFailedWaits) {
  Play play(saga({undoable_items(2), step("last", {"each"})}));
  fail_one_undo_of_two(play);
  play.snapshot().held[{0, 0, 0, 0, true}] = "quota";
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.status().phase, RunPhase::Compensating);
  play.snapshot().held.clear();
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-0-undo"));
}

TEST(Compensation, OfASuspendedRunWaitsThoughAnotherFailed) {
  Play play(saga({undoable_items(2), step("last", {"each"})}));
  fail_one_undo_of_two(play);
  play.run_spec().suspend = true;
  EXPECT_THAT(play.next().starts, IsEmpty());
  play.run_spec().suspend = false;
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-0-undo"));
}

TEST(Compensation, OfARepeatedStepThatCameToItsEndAsAnotherFailed) {
  Json poll = undoable("poll", {}, {{"repeat", {{"until", "steps.poll.outputs.done"}}}});
  Play play(saga({poll, step("b")}));
  play.settle();
  play.succeed("poll-1", {{"done", true}, {"id", "x"}});
  play.fail("b");
  play.settle();
  EXPECT_EQ(play.phases(), "poll:Compensating b:Failed");
  EXPECT_EQ(play.spec_of("poll-undo")["title"], "undo x");
}

TEST(Compensation, IsFollowedByFinally) {
  Json definition = saga({undoable("a"), step("b", {"a"})});
  definition["finally"] = Json::array({step("notify", {}, {{"task", {{"title", "$(run.phase)"}}}})});
  Play play(definition);
  play.settle();
  succeed(play, "a");
  play.fail("b");
  play.settle();
  EXPECT_TRUE(play.spec_of("notify").is_null());
  succeed(play, "a-undo");
  EXPECT_EQ(play.spec_of("notify")["title"], "Compensated");
  succeed(play, "notify");
  EXPECT_EQ(play.status().phase, RunPhase::Compensated);
}

TEST(Compensation, SurvivesTheLossOfTheLastRecord) {
  Play play(saga({undoable("a"), undoable("b", {"a"}), step("c", {"b"})}));
  play.settle();
  succeed(play, "a");
  succeed(play, "b");
  play.fail("c");
  play.settle();
  const auto recorded = play.status();
  play.pass(2s);
  play.succeed("b-undo");
  play.settle();
  play.run().status = recorded;
  play.snapshot().status = recorded;
  play.settle();
  EXPECT_THAT(play.created(), ElementsAre("a", "b", "c", "b-undo", "a-undo"));
  EXPECT_EQ(play.phases(), "a:Compensating b:Compensated c:Failed");
}

// --- retryFrom ---

TEST(RetryRound, RunsAgainWhatDidNotSucceed) {
  Play play(
      spec({step("a"), step("b", {"a"}, {{"task", {{"title", "$(steps.a.outputs.id)"}}}}), step("c", {"b"})},
           {{"finally", {step("end")}}}));
  play.settle();
  succeed(play, "a");
  play.fail("b");
  play.settle();
  play.succeed("end");
  play.settle();
  ASSERT_EQ(play.status().phase, RunPhase::Failed);
  play.pass(5h);  // the time of the run begins anew
  play.begin_round();
  play.settle();
  EXPECT_EQ(play.phases(), "a:Succeeded b:Running c:Pending end:Pending");
  EXPECT_EQ(play.spec_of("b-r1")["title"], "of a");
  succeed(play, "b-r1");
  succeed(play, "c-r1");
  succeed(play, "end-r1");
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
  EXPECT_EQ(play.status().round, 1);
}

TEST(RetryRound, RunsNamedStepsAgainWithAllThatFollows) {
  Play play(spec({step("a"), step("b", {"a"}), step("x"), step("c", {"b"})}));
  play.settle();
  succeed(play, "a");
  succeed(play, "x");
  succeed(play, "b");
  play.fail("c");
  play.settle();
  play.begin_round({"b"});
  play.settle();
  EXPECT_EQ(play.phases(), "a:Succeeded b:Running x:Succeeded c:Pending");
}

TEST(RetryRound, OfAFanOutKeepsTheItemsThatSucceeded) {
  Json definition =
      spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 3}}}}}})},
           {{"onFailure", "Continue"}, {"outputs", {{{"name", "all"}, {"value", "$(steps.each.outputs)"}}}}});
  Play play(definition);
  play.settle();
  succeed(play, "each-0");
  succeed(play, "each-2");
  play.fail("each-1");
  play.settle();
  ASSERT_EQ(play.status().phase, RunPhase::Failed);
  play.begin_round();
  play.settle();
  EXPECT_EQ(play.row("each").items, "1s1r1s");
  succeed(play, "each-1-r1");
  EXPECT_EQ(play.status().outputs,
            R"({"all":[{"id":"of each-0"},{"id":"of each-1-r1"},{"id":"of each-2"}]})");
}

TEST(RetryRound, OfARunThatWasUndoneDoesAllOfItAgain) {
  Play play(saga({undoable("a"), step("b", {"a"})}));
  play.settle();
  succeed(play, "a");
  play.fail("b");
  play.settle();
  succeed(play, "a-undo");
  ASSERT_EQ(play.status().phase, RunPhase::Compensated);
  play.begin_round();
  play.settle();
  EXPECT_EQ(play.created().back(), "a-r1");
  succeed(play, "a-r1");
  play.fail("b-r1");
  play.settle();
  EXPECT_EQ(play.created().back(), "a-undo-r1");
}

TEST(RetryRound, KeepsAnEffectThatCouldNotBeUndone) {
  Play play(saga({undoable("a"), step("b", {"a"})}));
  play.settle();
  succeed(play, "a");
  play.fail("b");
  play.settle();
  play.fail("a-undo");
  play.settle();
  ASSERT_EQ(play.status().reason, "CompensationFailed");
  play.begin_round();
  play.settle();
  EXPECT_EQ(play.created().back(), "b-r1") << "its effect stands: it is not done twice";
}

TEST(RetryRound, IsRefusedWhereTheRecordWasCutToFit) {
  Play play(spec({step("a")}));
  play.settle();
  play.run().status = play.status();
  play.run().status.phase = RunPhase::Failed;
  play.run().status.reason = reason::kStatusTooLarge;
  EXPECT_THAT(retry_problem(play.run(), *play.snapshot().definition), HasSubstr("did not fit"));
}

TEST(RetryRound, AsksPeopleAgain) {
  Json gate = step("gate", {}, {{"approval", Json::object()}});
  gate.erase("task");
  Play play(spec({gate}));
  play.settle();
  play.approve("gate", "ann", api::ApprovalDecision::Reject);
  play.settle();
  ASSERT_EQ(play.status().phase, RunPhase::Failed);
  play.begin_round();
  play.settle();
  EXPECT_EQ(play.row("gate").reason, "WaitingForApproval");
  play.approve("gate", "ann");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
}

}  // namespace
}  // namespace convoke::workflow
