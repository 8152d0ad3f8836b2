// A run of another Workflow as a step: parameters, outputs, time, further rounds.
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_decide.h"
#include "tests/unit/reconcilers/workflow/play.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using api::RunPhase;
using specs::bare;
using specs::spec;
using specs::step;
using ::testing::HasSubstr;

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

TEST(RunOfRuns, ThatWasTooLargeIsNotAskedAgain) {
  Play play(tried_again());
  play.next();
  play.end_run("sub", RunPhase::Failed);
  api::WorkflowRun large = *play.run_of("sub");
  large.status.reason = reason::kStatusTooLarge;
  play.snapshot().children.begin()->second.run = std::make_shared<const api::WorkflowRun>(large);
  play.next();
  EXPECT_EQ(play.row("sub").phase, api::StepPhase::Failed);
}

TEST(RunOfRuns, GetsNoRoundOfAStepThatIsEndedAtThatMoment) {
  Json definition = tried_again();
  definition["steps"].push_back(bare("pause", {{"wait", {{"duration", "10s"}}}}));
  definition["steps"].push_back(step("bad", {"pause"}, {{"task", {{"title", "$(int(run.name))"}}}}));
  Play play(definition);
  play.next();
  play.end_run("sub", RunPhase::Failed);
  play.next();
  play.pass(10s);
  play.next();
  ASSERT_EQ(play.row("bad").phase, api::StepPhase::Failed) << play.phases();
  EXPECT_EQ(play.row("sub").phase, api::StepPhase::Cancelled);
  EXPECT_EQ(play.run_of("sub")->spec.retry_from.round, 0);
}

TEST(RunOfRuns, ThatWasSuspendedIsLetGoToItsEnd) {
  Play play(spec({bare("sub", {{"workflow", {{"name", "library"}}}})}));
  play.next();
  play.run_spec().suspend = true;
  play.next();
  ASSERT_TRUE(play.run_of("sub")->spec.suspend);
  play.run_spec().cancel = api::RunCancel{"enough", true};
  play.next();
  EXPECT_TRUE(play.run_of("sub")->spec.cancel);
  EXPECT_TRUE(play.run_of("sub")->spec.suspend) << "as long as the run itself is";
  play.run_spec().suspend = false;
  play.next();
  EXPECT_FALSE(play.run_of("sub")->spec.suspend) << "its finally and its undo come to their end";
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

}  // namespace
}  // namespace convoke::workflow
