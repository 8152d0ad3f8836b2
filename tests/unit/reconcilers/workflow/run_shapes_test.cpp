// The shapes of work: conditions, outcomes, loops, fan-outs, waits, approvals, state machines, runs of runs,
// finally.
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
using specs::problem_of;
using specs::spec;
using specs::step;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A step without a task.
Json bare(const std::string& name, const Json& more, const std::vector<std::string>& depends_on = {}) {
  Json result = step(name, depends_on, more);
  result.erase("task");
  return result;
}

// --- Conditions ---

Json with_parameter(const std::string& name, const std::string& type, std::vector<Json> steps,
                    Json more = Json::object()) {
  more["parameters"] = {{{"name", name}, {"type", type}}};
  return spec(std::move(steps), more);
}

TEST(RunConditions, SkipsAndGoesOn) {
  Play play(with_parameter("deploy", "Boolean",
                           {step("a", {}, {{"when", "params.deploy"}}), step("b", {"a"}),
                            step("c", {"a.Succeeded"}), step("d", {"a.Skipped"}), step("e", {"c"})}),
            R"({"deploy":false})");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-b", "run-d", "run-e"));
  EXPECT_EQ(play.phases(), "a:Skipped b:Running c:Skipped d:Running e:Running");
  EXPECT_EQ(play.row("a").reason, "ConditionFalse");
  EXPECT_EQ(play.row("c").reason, "OutcomeNotMet");
  for (const auto* name : {"b", "d", "e"}) {
    play.succeed(name);
  }
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
  EXPECT_THAT(play.status().message, HasSubstr("3 of 5 steps succeeded, 2 skipped"));
}

TEST(RunConditions, SeeWhatEarlierStepsGave) {
  Play play(spec({step("a"), step("b", {"a"}, {{"when", "steps.a.outputs.n > 3"}})}));
  play.next();
  play.succeed("a", {{"n", 4}});
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-b"));
}

TEST(RunConditions, ThatCannotBeEvaluatedFailTheStep) {
  Play play(spec({step("a"), step("b", {"a"}, {{"when", "steps.a.outputs.n > 3"}})}));
  play.next();
  play.succeed("a", {{"m", 4}});
  play.next();
  EXPECT_EQ(play.phases(), "a:Succeeded b:Failed");
  EXPECT_EQ(play.row("b").reason, "UnknownName");
}

TEST(RunConditions, AFailureMayBeWhatAStepWaitsFor) {
  const Json definition = spec({step("a"), step("rescue", {"a.Failed"}), step("always", {"a.Ended"})},
                               {{"onFailure", "Continue"}});
  Play failing(definition);
  failing.next();
  failing.fail("a");
  EXPECT_THAT(names_of(failing.next().starts), ElementsAre("run-rescue", "run-always"));
  Play working(definition);
  working.next();
  working.succeed("a");
  EXPECT_THAT(names_of(working.next().starts), ElementsAre("run-always"));
  EXPECT_EQ(working.row("rescue").reason, "OutcomeNotMet");
}

TEST(RunConditions, AnOutcomeThatCanNeverComeIsRefused) {
  EXPECT_THAT(problem_of(spec({step("a"), step("b", {"a.Failed"})})),
              HasSubstr("nothing starts after a failure"));
  EXPECT_THAT(problem_of(spec({step("a"), step("b", {"a.Done"})})),
              HasSubstr("outcome is Succeeded, Failed"));
  EXPECT_THAT(problem_of(spec({step("a"), step("b", {"a", "a.Ended"})})), HasSubstr("two outcomes"));
}

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

TEST(RunRepeat, IsHaltedBetweenTwoIterations) {
  Play play(spec({step("poll", {}, {{"repeat", {{"until", "false"}, {"delay", "1h"}}}})}));
  play.next();
  play.succeed("poll-1");
  play.next();
  play.run_spec().cancel = api::RunCancel{};
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
}

// --- wait ---

TEST(RunWait, ForADuration) {
  Play play(
      spec({bare("pause", {{"wait", {{"duration", "$(string(30 + 60)+'s')"}}}}), step("after", {"pause"})}));
  auto decision = play.next();
  EXPECT_EQ(decision.wake_after, Duration(90s));
  EXPECT_EQ(play.row("pause").reason, "Waiting");
  play.pass(90s);
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-after"));
}

TEST(RunWait, UntilATimeThatIsWaitedForExactly) {
  const auto at = format_time(kStart + 1000s);
  Play play(spec({bare("pause", {{"wait", {{"until", "timestamp('" + at + "')"}}}})}));
  EXPECT_EQ(play.next().wake_after, Duration(1000s));
  play.pass(1000s);
  play.next();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
}

TEST(RunWait, UntilAConditionAndNoLongerThanItsTimeout) {
  Play play(spec({bare(
      "pause", {{"wait", {{"until", "now > timestamp('2030-01-01T00:00:00Z')"}}}, {"timeout", "8s"}})}));
  EXPECT_EQ(play.next().wake_after, Duration(5s));
  play.pass(5s);
  EXPECT_EQ(play.next().wake_after, Duration(3s));
  play.pass(3s);
  play.next();
  EXPECT_EQ(play.row("pause").reason, "Timeout");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunWait, ForAnEventThatMatches) {
  Play play(spec({bare("ready", {{"wait", {{"event", {{"type", "job.done"}, {"filter", "event.data.ok"}}}}}}),
                  step("after", {"ready"}, {{"task", {{"title", "$(steps.ready.outputs.data.file)"}}}})}));
  play.next();
  EXPECT_EQ(play.row("ready").reason, "WaitingForEvent");
  const auto deliver = [&](const std::string& event) {
    play.run().meta.annotations["event.convoke.dev/ready"] = event;
    return names_of(play.next().starts);
  };
  EXPECT_THAT(deliver("not json"), IsEmpty());
  EXPECT_THAT(deliver(R"({"type":"other","data":{"ok":true}})"), IsEmpty());
  EXPECT_THAT(deliver(R"({"type":"job.done","data":{"ok":false}})"), IsEmpty());
  EXPECT_THAT(deliver(R"({"type":"job.done"})"), IsEmpty());
  EXPECT_THAT(deliver(R"({"type":"job.done","data":{"ok":true,"file":"x.csv"}})"), ElementsAre("run-after"));
  EXPECT_EQ(play.spec_of("after")["title"], "x.csv");
}

TEST(RunWait, ForAnEventOnceMoreNeedsANewEvent) {
  Json ready = bare("ready", {{"wait", {{"event", {{"type", "tick"}}}}}});
  ready["transitions"] = Json::array({{{"to", "ready"}}});
  Play play(spec({ready}, {{"mode", "StateMachine"}}));
  play.settle();
  play.run().meta.annotations["event.convoke.dev/ready"] = R"({"type":"tick"})";
  play.settle();
  EXPECT_EQ(play.row("ready").iteration, 2);
  EXPECT_EQ(play.row("ready").reason, "WaitingForEvent");
  play.run().meta.annotations["event.convoke.dev/ready-2"] = R"({"type":"tick"})";
  play.settle();
  EXPECT_EQ(play.row("ready").iteration, 3);
}

// --- approval ---

Json gate(const Json& approval, const Json& more = Json::object()) {
  return spec({bare("gate", {{"approval", approval}}), step("go", {"gate"})}, more);
}

TEST(RunApproval, NeedsAsManyAsItSaysAndNotTheCreator) {
  Play play(gate({{"required", 2}}));
  EXPECT_EQ(play.next().wake_after, Duration(24h)) << "the run has more time than its approval";
  EXPECT_EQ(play.row("gate").reason, "WaitingForApproval");
  play.approve("gate", "creator");
  play.approve("gate", "ann");
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_THAT(play.row("gate").message, HasSubstr("1 of 2 approvals, by ann"));
  EXPECT_THAT(play.status().message, HasSubstr("step \"gate\": 1 of 2 approvals"));
  play.approve("gate", "bob");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-go"));
  EXPECT_EQ(play.row("gate").message, "approved by ann, bob");
}

TEST(RunApproval, OneRejectionEndsIt) {
  Play play(gate({{"required", 2}}));
  play.next();
  play.approve("gate", "ann");
  play.approve("gate", "bob", api::ApprovalDecision::Reject, "not on a Friday");
  play.next();
  EXPECT_EQ(play.row("gate").reason, "Rejected");
  EXPECT_EQ(play.row("gate").message, "rejected by bob: not on a Friday");
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunApproval, OnlyTheNamedOnesCount) {
  Play play(gate({{"approvers", {"ann"}}}));
  play.next();
  play.approve("gate", "bob", api::ApprovalDecision::Reject);
  play.approve("gate", "carl");
  EXPECT_THAT(play.next().starts, IsEmpty());
  play.approve("gate", "ann");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-go"));
}

TEST(RunApproval, WithinItsTime) {
  for (const auto& [action, phases] :
       {std::pair("Fail", "gate:Failed go:Skipped"), std::pair("Approve", "gate:Succeeded go:Running"),
        std::pair("Skip", "gate:Skipped go:Running")}) {
    Play play(gate({{"timeout", "10m"}, {"onTimeout", action}}));
    EXPECT_EQ(play.next().wake_after, Duration(10min));
    play.pass(10min);
    play.next();
    EXPECT_EQ(play.phases(), phases);
    EXPECT_EQ(play.row("gate").reason, "ApprovalTimeout");
  }
}

// --- workflow ---

TEST(RunOfRuns, HasParametersAndOutputs) {
  Play play(spec({bare("sub", {{"workflow", {{"name", "library"}, {"parameters", {{"x", "$(1 + 1)"}}}}}}),
                  step("after", {"sub"}, {{"task", {{"title", "$(steps.sub.outputs.y)"}}}})}));
  const auto starts = play.next().starts;
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_TRUE(starts[0].is_run);
  EXPECT_EQ(play.spec_of("sub"), (Json{{"workflowName", "library"},
                                       {"parameters", {{"x", 2}}},
                                       {"createdBy", "creator"},
                                       {"triggeredBy", "WorkflowRun/run"}}));
  EXPECT_EQ(play.row("sub").run_name, "run-sub");
  play.end_run("sub", RunPhase::Succeeded, {{"y", "good"}});
  play.next();
  EXPECT_EQ(play.spec_of("after")["title"], "good");
}

TEST(RunOfRuns, ThatFailsFailsTheStepAndThatIsCancelledWithItsRun) {
  Play failing(spec({bare("sub", {{"workflow", {{"name", "library"}}}})}));
  failing.next();
  failing.end_run("sub", RunPhase::Compensated);
  failing.next();
  EXPECT_EQ(failing.status().phase, RunPhase::Failed);
  Play cancelled(spec({bare("sub", {{"workflow", {{"name", "library"}}}})}));
  cancelled.next();
  cancelled.run_spec().cancel = api::RunCancel{"", true};
  cancelled.next();
  ASSERT_TRUE(cancelled.run_of("sub")->spec.cancel);
  EXPECT_TRUE(cancelled.run_of("sub")->spec.cancel->compensate) << "what it did is to be undone as well";
}

TEST(RunOfRuns, NeverRunsItself) {
  Play direct(spec({bare("sub", {{"workflow", {{"name", "flow"}}}})}));
  direct.next();
  EXPECT_EQ(direct.row("sub").reason, "Recursion");
  Play indirect(spec({bare("sub", {{"workflow", {{"name", "top"}}}})}));
  indirect.run().meta.annotations[annotation::kWorkflowPath] = "top/middle/flow";
  indirect.next();
  EXPECT_EQ(indirect.row("sub").reason, "Recursion");
  EXPECT_THAT(indirect.row("sub").message, HasSubstr("top/middle/flow/top"));
}

TEST(RunOfRuns, HasItsTime) {
  Play play(spec({bare("sub", {{"workflow", {{"name", "library"}}}, {"timeout", "1m"}})}));
  play.next();
  EXPECT_EQ(play.next().wake_after, Duration(1min));
  play.pass(1min);
  play.next();
  EXPECT_TRUE(play.run_of("sub")->spec.cancel);
  play.end_run("sub", RunPhase::Cancelled);
  play.next();
  EXPECT_EQ(play.row("sub").phase, api::StepPhase::Failed);
  EXPECT_EQ(play.row("sub").reason, "Timeout");
}

Json tried_again(const Json& more = Json::object()) {
  Json sub = bare("sub", {{"workflow", {{"name", "library"}}},
                          {"retry", {{"limit", 2}, {"backoff", {{"type", "Fixed"}, {"base", "10s"}}}}}});
  sub.update(more);
  return spec({sub});
}

TEST(RunOfRuns, ThatFailedGoesOnAsOftenAsRetrySays) {
  Play play(tried_again());
  play.next();
  for (const int round : {1, 2}) {
    play.end_run("sub", RunPhase::Failed);
    EXPECT_EQ(play.next().wake_after, Duration(10s));
    EXPECT_EQ(play.row("sub").phase, api::StepPhase::Running);
    EXPECT_EQ(play.row("sub").reason, "Retrying");
    play.pass(10s);
    play.next();
    EXPECT_EQ(play.run_of("sub")->spec.retry_from.round, round);
    EXPECT_TRUE(play.next().patches.empty()) << "it is asked once";
    play.begin_round_of("sub");
    play.next();
    EXPECT_EQ(play.row("sub").reason, "");
  }
  play.end_run("sub", RunPhase::Failed);
  play.next();
  EXPECT_EQ(play.row("sub").phase, api::StepPhase::Failed);
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

TEST(RunOfRuns, ThatCannotGoOnHasFailed) {
  Play refused(tried_again());
  refused.next();
  refused.end_run("sub", RunPhase::Failed);
  refused.pass(10s);
  refused.next();
  refused.refuse_round_of("sub");
  refused.next();
  EXPECT_EQ(refused.row("sub").phase, api::StepPhase::Failed);
  Play undone(tried_again());
  undone.next();
  undone.end_run("sub", RunPhase::Compensated);
  undone.next();
  EXPECT_EQ(undone.row("sub").phase, api::StepPhase::Failed);
  Play late(tried_again({{"timeout", "15s"}}));
  late.next();
  late.pass(6s);
  late.end_run("sub", RunPhase::Failed);
  late.next();
  EXPECT_EQ(late.row("sub").phase, api::StepPhase::Failed) << "the step's time is over before the next round";
}

TEST(RunOfRuns, ACancelledRunDoesNotWaitForARound) {
  Play play(tried_again());
  play.next();
  play.end_run("sub", RunPhase::Failed);
  play.next();
  play.run_spec().cancel = api::RunCancel{"", false};
  play.next();
  EXPECT_EQ(play.row("sub").phase, api::StepPhase::Cancelled);
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
}

TEST(RunOfRuns, AsItemsHaveTimeAndRounds) {
  Play play(tried_again({{"forEach", {{"range", {{"from", 1}, {"to", 2}}}}}, {"timeout", "1m"}}));
  play.next();
  play.end_run("sub-0", RunPhase::Failed);
  play.next();
  EXPECT_EQ(play.row("sub").items, "2r");
  play.pass(10s);
  play.next();
  EXPECT_EQ(play.run_of("sub-0")->spec.retry_from.round, 1);
  play.begin_round_of("sub-0");
  play.pass(50s);
  play.next();
  EXPECT_TRUE(play.run_of("sub-0")->spec.cancel && play.run_of("sub-1")->spec.cancel);
  play.end_run("sub-0", RunPhase::Cancelled);
  play.end_run("sub-1", RunPhase::Cancelled);
  play.next();
  EXPECT_EQ(play.row("sub").phase, api::StepPhase::Failed);
}

// --- state machines ---

Json machine(std::vector<Json> steps, const Json& more = Json::object()) {
  Json result = spec(std::move(steps), more);
  result["mode"] = "StateMachine";
  return result;
}

Json state(const std::string& name, const std::vector<std::pair<std::string, std::string>>& transitions) {
  Json result = step(name);
  for (const auto& [when, to] : transitions) {
    Json transition = {{"to", to}};
    if (!when.empty()) {
      transition["when"] = when;
    }
    result["transitions"].push_back(transition);
  }
  return result;
}

TEST(RunStateMachine, FollowsTheFirstTransitionThatHolds) {
  Play play(machine({state("open", {{"steps.open.outputs.fixed", "closed"}, {"", "work"}}),
                     state("work", {{"", "open"}}), state("closed", {}), state("never", {})}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-open-1"));
  play.succeed("open-1", {{"fixed", false}});
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-work-1"));
  EXPECT_EQ(play.status().current_step, "work");
  play.succeed("work-1");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-open-2"));
  play.succeed("open-2", {{"fixed", true}});
  play.settle();
  play.succeed("closed-1");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
  EXPECT_EQ(play.status().transitions, 3);
  EXPECT_EQ(play.phases(), "open:Succeeded work:Succeeded closed:Succeeded never:Skipped");
  EXPECT_EQ(play.row("open").iteration, 2);
  EXPECT_EQ(play.row("never").reason, "NotReached");
}

TEST(RunStateMachine, AFailureMayLeadOn) {
  Play play(machine({state("try", {{"steps.try.phase == 'Failed'", "mend"}}), state("mend", {})}));
  play.next();
  play.fail("try-1", "broken");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-mend-1"));
  EXPECT_EQ(play.row("try").reason, "TransitionTaken");
  EXPECT_THAT(play.row("try").message, HasSubstr("broken"));
  play.succeed("mend-1");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded);
}

TEST(RunStateMachine, AFailureThatLeadsNowhereFailsTheRun) {
  Play play(machine({state("try", {{"steps.try.phase == 'Succeeded'", "next"}}), state("next", {})}));
  play.next();
  play.fail("try-1");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.phases(), "try:Failed next:Skipped");
}

TEST(RunStateMachine, IsBounded) {
  Play play(machine({state("a", {{"", "a"}})}, {{"maxTransitions", 3}}));
  for (int i = 1; i <= 4; ++i) {
    play.settle();
    ASSERT_EQ(play.created().size(), static_cast<std::size_t>(i)) << play.status().message;
    play.succeed("a-" + std::to_string(i));
  }
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.row("a").reason, "MaxTransitions");
}

TEST(RunStateMachine, ALostRecordLeadsToTheSameState) {
  Play play(machine({state("a", {{"", "b"}}), state("b", {{"", "a"}})}));
  play.next();
  const auto recorded = play.status();
  play.succeed("a-1");
  play.next();
  play.succeed("b-1");
  play.next();
  ASSERT_THAT(play.created(), ElementsAre("a-1", "b-1", "a-2"));
  play.run().status = recorded;
  play.snapshot().status = recorded;
  EXPECT_THAT(play.next().starts, IsEmpty());
  EXPECT_EQ(play.status().current_step, "a");
  EXPECT_EQ(play.row("a").iteration, 2);
  EXPECT_EQ(play.status().transitions, 2);
}

// --- finally ---

TEST(RunFinally, RunsAfterSuccessFailureAndCancellation) {
  const auto definition = [] {
    Json cleanup = step("cleanup", {}, {{"task", {{"title", "$(run.phase) $(run.reason)"}}}});
    return spec({step("a"), step("b", {"a"})}, {{"finally", {cleanup, step("notify", {"cleanup"})}}});
  };
  for (const auto& [end, title] :
       {std::pair("succeed", "Succeeded Succeeded"), std::pair("fail", "Failed StepFailed"),
        std::pair("cancel", "Cancelled Cancelled")}) {
    Play play(definition());
    play.next();
    if (end == std::string("fail")) {
      play.fail("a");
    } else {
      play.succeed("a");
    }
    if (end == std::string("cancel")) {
      play.run_spec().cancel = api::RunCancel{};
    }
    play.settle();
    if (end == std::string("succeed")) {
      play.succeed("b");
      play.settle();
    }
    ASSERT_EQ(play.spec_of("cleanup")["title"], title);
    EXPECT_EQ(play.status().phase, RunPhase::Running) << "until finally has ended";
    play.succeed("cleanup");
    play.settle();
    play.succeed("notify");
    play.settle();
    EXPECT_EQ(std::string(api::to_string(play.status().phase)),
              std::string(title).substr(0, std::string(title).find(' ')));
  }
}

TEST(RunFinally, ItsFailureFailsTheRun) {
  Play play(spec({step("a")}, {{"finally", {step("cleanup")}}}));
  play.next();
  play.succeed("a");
  play.settle();
  play.fail("cleanup", "no space left");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_THAT(play.status().message, HasSubstr("no space left"));
}

TEST(RunFinally, IsNotCancelledButHasItsTime) {
  Play play(spec({step("a")}, {{"finally", {step("cleanup")}}, {"timeout", "10m"}}));
  play.next();
  play.succeed("a");
  play.settle();
  play.run_spec().cancel = api::RunCancel{};
  EXPECT_EQ(play.next().wake_after, Duration(10min));
  EXPECT_FALSE(play.task_of("cleanup")->spec.cancel);
  play.pass(10min);
  play.next();
  EXPECT_TRUE(play.task_of("cleanup")->spec.cancel);
  play.task("cleanup", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
}

}  // namespace
}  // namespace convoke::workflow
