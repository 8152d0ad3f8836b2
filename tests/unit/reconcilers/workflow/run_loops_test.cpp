// What a step does several times: for each item, until a condition holds, and both.
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_decide.h"
#include "tests/unit/reconcilers/workflow/play.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using api::RunPhase;
using api::TaskPhase;
using specs::spec;
using specs::step;
using specs::with_parameter;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- forEach ---

Json fan(const Json& for_each, const Json& more = Json::object()) {
  return with_parameter("list", "Array", {step("each", {}, {{"forEach", for_each}})}, more);
}

TEST(RunFanOut, RunsEachItemAndCollectsTheirOutputsInOrder) {
  Json definition = fan({{"items", "$(params.list)"}, {"as", "module"}},
                        {{"outputs", {{{"name", "all"}, {"value", "$(steps.each.outputs)"}}}}});
  definition["steps"][0]["task"]["parameters"] = {{"m", "$(module)"}, {"i", "$(index)"}};
  Play play(definition, R"({"list":["x","y","z"]})");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-0", "run-each-1", "run-each-2"));
  EXPECT_EQ(play.spec_of("each-1")["parameters"], (Json{{"m", "y"}, {"i", 1}}));
  EXPECT_EQ(play.row("each").items, "3r");
  play.succeed("each-2", {{"n", 2}});
  play.succeed("each-0", {{"n", 0}});
  play.next();
  EXPECT_EQ(play.row("each").items, "1s1r1s");
  play.succeed("each-1", {{"n", 1}});
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
  EXPECT_EQ(play.status().outputs, R"({"all":[{"n":0},{"n":1},{"n":2}]})");
  EXPECT_EQ(play.row("each").items, "3s");
}

TEST(RunFanOut, OfAMapGoesByKeyAndOfARangeByNumber) {
  Json map = spec({step("each", {}, {{"forEach", {{"items", {{"b", 2}, {"a", 1}}}}}})});
  map["steps"][0]["task"]["title"] = "$(item.key)=$(item.value)";
  Play by_key(map);
  by_key.next();
  EXPECT_EQ(by_key.spec_of("each-0")["title"], "a=1");
  EXPECT_EQ(by_key.spec_of("each-1")["title"], "b=2");

  Json range = spec({step("each", {}, {{"forEach", {{"range", {{"from", 5}, {"to", "$(3 + 4)"}}}}}})});
  range["steps"][0]["task"]["title"] = "$(item)";
  Play by_number(range);
  EXPECT_EQ(by_number.next().starts.size(), 3u);
  EXPECT_EQ(by_number.spec_of("each-2")["title"], 7);
}

TEST(RunFanOut, OfNothingSucceedsAtOnce) {
  Play play(spec({step("each", {}, {{"forEach", {{"items", Json::array()}}}}), step("after", {"each"})}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-after"));
  EXPECT_EQ(play.phases(), "each:Succeeded after:Running");
}

TEST(RunFanOut, RunsAsManyAtOnceAsItMay) {
  Play play(
      spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 6}}}, {"parallelism", 2}}}})}));
  EXPECT_EQ(play.next().starts.size(), 2u);
  EXPECT_EQ(play.row("each").items, "2r4p");
  play.succeed("each-0");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-2"));
}

TEST(RunFanOut, AFailedItemEndsTheOthersUnlessTheRunContinues) {
  const Json each =
      step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 6}}}, {"parallelism", 2}}}});
  Play abort(spec({each}));
  abort.next();
  abort.fail("each-0", "no such module");
  EXPECT_THAT(abort.next().starts, IsEmpty());
  EXPECT_TRUE(abort.task_of("each-1")->spec.cancel);
  abort.task("each-1", TaskPhase::Cancelled);
  abort.next();
  EXPECT_EQ(abort.status().phase, RunPhase::Failed);
  EXPECT_EQ(abort.row("each").items, "1f1c4k");
  EXPECT_THAT(abort.row("each").message, HasSubstr("1 of 6 items failed; item 0: Failed: no such module"));

  Play go_on(spec({each}, {{"onFailure", "Continue"}}));
  go_on.next();
  go_on.fail("each-0");
  EXPECT_THAT(names_of(go_on.next().starts), ElementsAre("run-each-2"));
}

TEST(RunFanOut, TooManyItemsFailTheStep) {
  Play play(spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 10'001}}}}}})}));
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.row("each").reason, "TooManyItems");
}

TEST(RunFanOut, AnItemWhoseTaskIsDeletedIsNamed) {
  Play play(spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 3}}}}}})}));
  play.next();
  play.lose_task("each-1");
  play.next();
  play.snapshot().gone.clear();
  play.task("each-0", TaskPhase::Cancelled);
  play.task("each-2", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.row("each").items, "1c1f1c");
  EXPECT_THAT(play.row("each").message, HasSubstr("item 1: its Task was deleted"));
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunFanOut, ALostRecordIsMadeAgainFromTheChildren) {
  Play play(spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 3}}}}}})}));
  play.next();
  play.succeed("each-1");
  play.wipe_status();
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.row("each").items, "1r1s1r");
}

TEST(RunFanOut, BeganWhenItsFirstItemDidThoughTheRecordIsLost) {
  Play play(spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 2}}}}}})}));
  play.next();
  play.pass(1min);
  play.succeed("each-0");
  play.succeed("each-1");
  play.pass(10min);
  play.wipe_status();
  play.next();
  EXPECT_EQ(play.row("each").started_at, format_time(kStart));
  EXPECT_EQ(play.row("each").completed_at, format_micro_time(kStart + 1min));
}

TEST(RunFanOut, WhoseItemsAllSucceededAsTheRunWasStoppedHasSucceeded) {
  Play play(spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 2}}}}}}), step("b")}));
  play.next();
  play.succeed("each-0");
  play.succeed("each-1");
  play.fail("b");
  play.settle();
  EXPECT_EQ(play.phases(), "each:Succeeded b:Failed");
}

TEST(RunFanOut, StartsALargeNumberInPortions) {
  Play play(spec({step("each", {}, {{"forEach", {{"range", {{"from", 1}, {"to", 10'000}}}}}})},
                 {{"parallelism", 10'000}}));
  const auto decision = play.next();
  EXPECT_EQ(decision.starts.size(), 100u);
  EXPECT_LE(decision.wake_after, 1ms);
  play.settle();
  EXPECT_EQ(play.row("each").items, "10000r");
}

// --- repeat ---

TEST(RunRepeat, GoesOnUntilTheConditionHolds) {
  Json definition =
      spec({step("poll", {}, {{"repeat", {{"until", "steps.poll.outputs.done"}, {"delay", "10s"}}}}),
            step("after", {"poll"}, {{"task", {{"title", "$(steps.poll.outputs.n)"}}}})});
  definition["steps"][0]["task"]["title"] = "$(iteration)";
  Play play(definition);
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-1"));
  play.succeed("poll-1", {{"done", false}, {"n", 1}});
  const auto waits = play.next();
  EXPECT_THAT(waits.starts, IsEmpty());
  EXPECT_EQ(waits.wake_after, Duration(10s));
  EXPECT_EQ(play.row("poll").reason, "Repeating");
  play.pass(10s);
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-2"));
  EXPECT_EQ(play.spec_of("poll-2")["title"], 2);
  play.succeed("poll-2", {{"done", true}, {"n", 2}});
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-after"));
  EXPECT_EQ(play.spec_of("after")["title"], 2);
  EXPECT_EQ(play.row("poll").iteration, 2);
}

TEST(RunRepeat, FailsAfterTheLastIteration) {
  Play play(spec({step("poll", {}, {{"repeat", {{"until", "false"}, {"maxIterations", 2}}}})}));
  play.next();
  play.succeed("poll-1");
  play.next();
  play.succeed("poll-2");
  play.next();
  EXPECT_EQ(play.row("poll").reason, "MaxIterations");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunRepeat, ALostRecordDoesNotRepeatAnIteration) {
  Play play(spec({step("poll", {}, {{"repeat", {{"until", "false"}, {"maxIterations", 3}}}})}));
  play.next();
  play.succeed("poll-1");
  play.next();
  play.wipe_status();
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.row("poll").iteration, 2);
  EXPECT_EQ(play.row("poll").task_name, "run-poll-2");
}

TEST(RunRepeat, AnIterationThatIsRefusedFailsTheStep) {
  Play play(spec({step("poll", {}, {{"repeat", {{"until", "false"}}}})}));
  play.next();
  play.succeed("poll-1");
  play.snapshot().refused[{0, -1, 2, 0, false}] = {reason::kTaskRefused, "no such priority"};
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.row("poll").phase, api::StepPhase::Failed);
  EXPECT_EQ(play.row("poll").message, "no such priority");
}

TEST(RunRepeat, IsHaltedBetweenTwoIterations) {
  Play play(spec({step("poll", {}, {{"repeat", {{"until", "false"}, {"delay", "1h"}}}})}));
  play.next();
  play.succeed("poll-1");
  play.next();
  play.run_spec().cancel = api::RunCancel{};
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
}

// --- forEach and repeat in one step ---

Json polls(const Json& repeat, const Json& more = Json::object()) {
  const Json each = {{"range", {{"from", 1}, {"to", 3}}}, {"parallelism", 2}};
  Json definition = spec({step("poll", {}, {{"forEach", each}, {"repeat", repeat}})}, more);
  definition["steps"][0]["task"]["title"] = "$(item)-$(index)-$(iteration)";
  return definition;
}

const Json kUntilDone = {{"until", "steps.poll.outputs.done || item == 3"}, {"delay", "10s"}};

// Of item 0; item 1 is in its first.
void reach_second_iteration(Play& play) {
  play.next();
  play.succeed("poll-0-1", {{"done", false}});
  play.next();
  play.pass(10s);
  play.next();
}

TEST(RunRepeatedItems, EachGoesOnUntilItsConditionHolds) {
  Play play(polls(kUntilDone, {{"outputs", {{{"name", "all"}, {"value", "$(steps.poll.outputs)"}}}}}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-0-1", "run-poll-1-1"));
  EXPECT_EQ(play.row("poll").item_iterations, "");
  play.succeed("poll-0-1", {{"done", false}});
  play.succeed("poll-1-1", {{"done", true}});
  const auto first = play.next();
  EXPECT_THAT(names_of(first.starts), ElementsAre("run-poll-2-1"));
  EXPECT_EQ(first.wake_after, Duration(10s));
  EXPECT_EQ(play.row("poll").items, "1r1s1r");
  play.pass(10s);
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-0-2"));
  EXPECT_EQ(play.spec_of("poll-0-2")["title"], "1-0-2");
  EXPECT_EQ(play.row("poll").item_iterations, "0:2");
  play.succeed("poll-2-1", {{"done", false}, {"last", true}});
  play.succeed("poll-0-2", {{"done", true}, {"n", 2}});
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
  EXPECT_EQ(play.status().outputs,
            R"({"all":[{"done":true,"n":2},{"done":true},{"done":false,"last":true}]})");
  EXPECT_EQ(play.row("poll").item_iterations, "");
}

TEST(RunRepeatedItems, FailAfterTheLastIteration) {
  Play play(polls({{"until", "false"}, {"maxIterations", 2}}));
  play.next();
  play.succeed("poll-1-1");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-1-2"));
  play.succeed("poll-1-2");
  play.next();
  EXPECT_TRUE(play.task_of("poll-0-1")->spec.cancel) << "another item failed";
  play.task("poll-0-1", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.row("poll").reason, "MaxIterations");
  EXPECT_EQ(play.row("poll").items, "1c1f1k");
  EXPECT_THAT(play.row("poll").message, HasSubstr("item 1: `until` did not hold after 2 iterations"));
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunRepeatedItems, WhoseConditionCannotBeEvaluatedFail) {
  Play play(polls({{"until", "steps.poll.outputs.absent"}}));
  play.next();
  play.succeed("poll-0-1");
  play.next();
  play.task("poll-1-1", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.row("poll").reason, "UnknownName");
  EXPECT_EQ(play.row("poll").items, "1f1c1k");
}

TEST(RunRepeatedItems, ALostRecordRepeatsNothing) {
  Play play(polls(kUntilDone));
  reach_second_iteration(play);
  play.wipe_status();
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.row("poll").items, "2r1p");
  EXPECT_EQ(play.row("poll").item_iterations, "0:2");
}

TEST(RunRepeatedItems, AnIterationWhoseTaskIsDeletedIsNotDoneAgain) {
  Play play(polls(kUntilDone));
  reach_second_iteration(play);
  play.lose_task("poll-0-2");
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.row("poll").items, "1f1r1k");
  EXPECT_THAT(play.row("poll").message, HasSubstr("item 0: its Task was deleted"));
}

TEST(RunRepeatedItems, OfWhichOneCannotGoOnAreEndedWithIt) {
  Json definition = polls({{"until", "false"}});
  definition["steps"][0]["task"]["title"] =
      "$({'0-1': 1, '1-1': 1, '0-2': 1}[string(index) + '-' + string(iteration)])";
  Play play(definition);
  play.next();
  play.succeed("poll-0-1");
  play.succeed("poll-1-1");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-0-2"));
  EXPECT_EQ(play.row("poll").items, "1r1f1k");
  play.next();
  EXPECT_TRUE(play.task_of("poll-0-2")->spec.cancel);
  play.task("poll-0-2", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.row("poll").items, "1c1f1k");
  EXPECT_THAT(play.row("poll").message, HasSubstr("item 1: "));
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunRepeatedItems, AreHaltedBetweenTwoIterations) {
  Play play(polls({{"until", "false"}, {"delay", "1h"}}));
  play.next();
  play.succeed("poll-0-1");
  play.succeed("poll-1-1");
  play.next();
  play.run_spec().cancel = api::RunCancel{};
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
  EXPECT_EQ(play.row("poll").items, "2c1k");
}

TEST(RunRepeatedItems, StartNothingWhileTheRunIsSuspended) {
  Play play(polls({{"until", "false"}}));
  play.next();
  play.run_spec().suspend = true;
  play.succeed("poll-0-1");
  play.succeed("poll-1-1");
  play.settle();
  EXPECT_THAT(play.created(), ElementsAre("poll-0-1", "poll-1-1"));
  play.run_spec().suspend = false;
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-0-2", "run-poll-1-2"));
}

TEST(RunRepeatedItems, ThatFailedAreRepeatedAnewInTheNextRound) {
  Play play(polls(kUntilDone, {{"onFailure", "Continue"}}));
  play.next();
  play.succeed("poll-0-1", {{"done", true}, {"n", 1}});
  play.fail("poll-1-1");
  play.next();
  play.succeed("poll-2-1", {{"done", false}});
  play.settle();
  ASSERT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.row("poll").items, "1s1f1s");
  play.begin_round();
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-poll-1-1-r1"));
  play.succeed("poll-1-1-r1", {{"done", true}});
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
}

TEST(RunRepeatedItems, AreUndoneByWhatTheirLastIterationGave) {
  Json definition = polls({{"until", "iteration == 2"}}, {{"onFailure", "Compensate"}});
  definition["steps"][0]["forEach"]["range"]["to"] = 1;
  definition["steps"][0]["compensate"] = {{"type", "undo"}, {"title", "$(steps.poll.outputs.n)"}};
  definition["steps"].push_back(step("after", {"poll"}));
  Play play(definition);
  play.next();
  play.succeed("poll-0-1", {{"n", 1}});
  play.next();
  play.succeed("poll-0-2", {{"n", 2}});
  play.next();
  play.fail("after");
  play.settle();
  EXPECT_EQ(play.spec_of("poll-0-undo")["title"], 2);
}

}  // namespace
}  // namespace convoke::workflow
