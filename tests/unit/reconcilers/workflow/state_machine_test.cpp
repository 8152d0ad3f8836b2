// Runs in mode StateMachine.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/workflow/run_decide.h"
#include "tests/unit/reconcilers/workflow/play.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using api::RunPhase;
using specs::problem_of;
using specs::spec;
using specs::step;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST(RunStateMachine, ThatIsCancelledHasNotSucceeded) {
  for (const bool between : {true, false}) {
    Play play(machine({state("poll", {{"", "poll"}})}));
    play.next();
    if (between) {
      play.succeed("poll-1");
    }
    play.run_spec().cancel = api::RunCancel{"enough", false};
    play.next();
    if (!between) {
      play.succeed("poll-1");  // it was quicker than its cancellation
      play.settle();
    }
    EXPECT_EQ(play.status().phase, RunPhase::Cancelled) << play.status().message;
    EXPECT_THAT(play.created(), ElementsAre("poll-1"));
  }
}

TEST(RunStateMachine, BeginsAnewWhereItWasUndone) {
  Json definition = machine({state("a", {{"steps.a.phase == 'Succeeded'", "b"}}), state("b", {})});
  definition["onFailure"] = "Compensate";
  definition["steps"][0]["compensate"] = {{"type", "undo"}};
  Play play(definition);
  play.next();
  play.succeed("a-1");
  play.next();
  play.fail("b-1");
  play.settle();
  play.succeed("a-undo");
  play.settle();
  ASSERT_EQ(play.status().phase, RunPhase::Compensated);
  play.begin_round();
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-a-1-r1"));
}

TEST(RunStateMachine, GoesOnAtTheStateThatIsNamed) {
  for (const std::string named : {"", "a"}) {
    Play play(machine({state("a", {{"", "b"}}), state("b", {})}));
    play.next();
    play.succeed("a-1");
    play.next();
    play.fail("b-1");
    play.settle();
    ASSERT_EQ(play.status().phase, RunPhase::Failed);
    play.begin_round(named.empty() ? std::vector<std::string>() : std::vector{named});
    EXPECT_THAT(names_of(play.next().starts), ElementsAre(named.empty() ? "run-b-1-r1" : "run-a-1-r1"));
  }
}

TEST(RunStateMachine, AnApprovalMayNotBeReachedTwice) {
  Json gate = specs::bare("gate", {{"approval", Json::object()}, {"transitions", {{{"to", "work"}}}}});
  const Json once = machine({gate, state("work", {})});
  EXPECT_TRUE(specs::check(once));
  const auto refused = specs::check(machine({gate, state("work", {{"", "gate"}})}));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("spec.steps[gate].approval: this state can be reached again"));
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

TEST(RunStateMachine, UndoesTheStateWhoseWayOnCouldNotBeTaken) {
  Json definition = machine({state("a", {{"", "a"}})}, {{"maxTransitions", 1}});
  definition["onFailure"] = "Compensate";
  definition["steps"][0]["compensate"] = {{"type", "undo"}};
  Play play(definition);
  play.settle();
  play.succeed("a-1");
  play.settle();
  play.succeed("a-2");
  play.settle();
  ASSERT_EQ(play.created().back(), "a-undo") << play.status().message;
  EXPECT_EQ(play.status().phase, RunPhase::Compensating);
  play.succeed("a-undo");
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Compensated);
  EXPECT_THAT(play.status().message, HasSubstr("step \"a\" failed: took 1 transitions"));
  EXPECT_THAT(play.status().message, HasSubstr("undone: \"a\""));
}

TEST(RunStateMachine, BeginsAnewWhereItemsOfAStateThatFailedWereUndone) {
  Json each = state("each", {{"", "mend"}});
  each["forEach"] = {{"range", {{"from", 1}, {"to", 2}}}};
  each["compensate"] = {{"type", "undo"}};
  Json definition = machine({each, state("mend", {})});
  definition["onFailure"] = "Compensate";
  Play play(definition);
  play.settle();
  play.succeed("each-0-1");
  play.fail("each-1-1");
  play.settle();
  play.fail("mend-1");
  play.settle();
  ASSERT_EQ(play.created().back(), "each-0-undo") << play.status().message;
  play.succeed("each-0-undo");
  play.settle();
  play.begin_round();
  play.next();
  EXPECT_EQ(play.status().current_step, "each");
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

TEST(RunStateMachine, AStateMayBeAFanOut) {
  Json each = state("each", {{"steps.each.phase == 'Failed'", "mend"}});
  each["forEach"] = {{"items", {"a", "b"}}};
  each["task"]["title"] = "$(item)-$(iteration)";
  Play play(machine({each, state("mend", {{"", "each"}})},
                    {{"outputs", {{{"name", "all"}, {"value", "$(steps.each.outputs)"}}}}}));
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-0-1", "run-each-1-1"));
  play.succeed("each-0-1", {{"n", 1}});
  play.fail("each-1-1");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-mend-1"));
  EXPECT_EQ(play.row("each").reason, "TransitionTaken");
  play.succeed("mend-1");
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-0-2", "run-each-1-2"));
  EXPECT_EQ(play.spec_of("each-1-2")["title"], "b-2");
  EXPECT_EQ(play.row("each").iteration, 2);
  play.succeed("each-0-2", {{"n", 2}});
  play.succeed("each-1-2", {{"n", 3}});
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
  EXPECT_EQ(play.status().outputs, R"({"all":[{"n":2},{"n":3}]})");
}

TEST(RunStateMachine, AStateThatIsAFanOutKeepsItsItemsInTheNextRound) {
  Json each = state("each", {{"steps.each.phase == 'Succeeded' && iteration < 2", "each"}});
  each["forEach"] = {{"items", {"a", "b"}}};
  EXPECT_THAT(problem_of(machine({each})), HasSubstr("iteration"));
  each["transitions"][0]["when"] = "steps.each.phase == 'Succeeded' && !steps.each.outputs[1].last";
  Play play(machine({each}, {{"outputs", {{{"name", "all"}, {"value", "$(steps.each.outputs)"}}}}}));
  play.next();
  play.succeed("each-0-1", {{"n", 1}});
  play.succeed("each-1-1", {{"last", false}});
  play.next();
  play.succeed("each-0-2", {{"n", 2}});
  play.fail("each-1-2");
  play.settle();
  ASSERT_EQ(play.status().phase, RunPhase::Failed);
  play.begin_round();
  EXPECT_THAT(names_of(play.next().starts), ElementsAre("run-each-1-1-r1"));
  play.succeed("each-1-1-r1", {{"last", true}});
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Succeeded) << play.status().message;
  EXPECT_EQ(play.status().outputs, R"({"all":[{"n":2},{"last":true}]})");
}

}  // namespace
}  // namespace convoke::workflow
