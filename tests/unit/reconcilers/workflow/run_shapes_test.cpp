// The shapes of work: conditions and outcomes, waits and approvals, and what always comes last.
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/run_decide.h"
#include "tests/unit/reconcilers/workflow/play.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using api::RunPhase;
using api::TaskPhase;
using specs::bare;
using specs::problem_of;
using specs::spec;
using specs::step;
using specs::with_parameter;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- Conditions ---

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

TEST(RunApproval, ItsOutputsAreThoseWhoCounted) {
  Json flow = gate({{"approvers", {"ann", "bob"}}});
  flow["steps"][1]["task"]["title"] = "$(steps.gate.outputs.approvedBy) $(steps.gate.outputs.comments)";
  Play play(flow);
  play.next();
  play.approve("gate", "carl", api::ApprovalDecision::Approve, "me too");
  play.approve("gate", "ann", api::ApprovalDecision::Approve, "fine");
  play.next();
  const std::string who = "[\"ann\"] {\"ann\":\"fine\"}";
  EXPECT_EQ(play.spec_of("go")["title"], who);
  EXPECT_THAT(play.row("gate").approved_by, ElementsAre("ann"));
  play.approve("gate", "bob");  // too late
  play.fail("go");
  play.settle();
  play.begin_round();
  play.settle();
  EXPECT_EQ(play.spec_of("go-r1")["title"], who) << "in every round";
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

TEST(RunFinally, IsCancelledWithForce) {
  Play play(spec({step("a")}, {{"finally", {step("cleanup"), step("report", {"cleanup"})}}}));
  play.next();
  play.succeed("a");
  play.settle();
  play.run_spec().cancel = api::RunCancel{"it hangs", false, true};
  play.settle();
  EXPECT_TRUE(play.task_of("cleanup")->spec.cancel);
  play.task("cleanup", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.phases(), "a:Succeeded cleanup:Cancelled report:Cancelled");
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
  EXPECT_EQ(play.status().message, "cancelled: it hangs");
}

TEST(RunFinally, NeverStartsAfterACancellationWithForce) {
  Play play(spec({step("a")}, {{"finally", {step("cleanup")}}}));
  play.next();
  play.run_spec().cancel = api::RunCancel{"", false, true};
  play.next();
  play.task("a", TaskPhase::Cancelled);
  play.settle();
  EXPECT_THAT(play.created(), ElementsAre("a"));
  EXPECT_EQ(play.status().phase, RunPhase::Cancelled);
}

TEST(RunFinally, OfARunThatFailedIsCancelledAndTheFailureStays) {
  Play play(spec({step("a")}, {{"finally", {step("cleanup")}}}));
  play.next();
  play.fail("a");
  play.settle();
  play.run_spec().cancel = api::RunCancel{"", false, true};
  play.next();
  play.task("cleanup", TaskPhase::Cancelled);
  play.settle();
  EXPECT_EQ(play.status().phase, RunPhase::Failed);
  EXPECT_EQ(play.status().reason, "StepFailed");
}

TEST(RunFinally, OfARunBelowIsCancelledOnceMoreWithForce) {
  Play play(spec({bare("sub", {{"workflow", {{"name", "other"}}}})}));
  play.next();
  play.run_spec().cancel = api::RunCancel{};
  play.next();
  ASSERT_TRUE(play.run_of("sub")->spec.cancel);
  EXPECT_FALSE(play.run_of("sub")->spec.cancel->force);
  EXPECT_THAT(play.next().patches, IsEmpty());
  play.run_spec().cancel->force = true;
  play.next();
  EXPECT_TRUE(play.run_of("sub")->spec.cancel->force);
  EXPECT_THAT(play.next().patches, IsEmpty());
}

}  // namespace
}  // namespace convoke::workflow
