#include "programs/kubectl-convoke/why.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "tests/unit/programs/kubectl-convoke/plugin_world.h"

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const WallTime kNow = *parse_time("2026-01-01T00:10:00Z");

Json task(Json spec, Json status) {
  status["observedGeneration"] = 1;
  return {{"metadata", {{"name", "t"}, {"namespace", "default"}, {"uid", "u"}}},
          {"spec", std::move(spec)},
          {"status", std::move(status)}};
}

api::Agent agent(const std::string& name, const std::string& capability) {
  api::Agent agent;
  agent.meta.name = name;
  agent.meta.namespace_ = "default";
  agent.spec.capabilities = {capability};
  agent.status.phase = api::AgentPhase::Ready;
  return agent;
}

TEST(Why, ATaskThatNobodyCanDoSaysWhyOfEachAgent) {
  const auto why = explain_task(task({{"type", "gpu"}}, {{"phase", "Queued"}, {"reason", "NoEligibleAgent"}}),
                                {agent("a", "compile"), agent("b", "test")}, kNow);
  EXPECT_THAT(why.because, Contains(HasSubstr("No agent can take it: it needs gpu")));
  ASSERT_EQ(why.agents.size(), 2U);
  EXPECT_EQ(why.agents[0].word, "lacks capability gpu");
  EXPECT_THAT(why.actions, Contains(HasSubstr("Start an agent that can")));
}

TEST(Why, BusyAgentsAreToldFromThoseThatCannot) {
  auto busy = agent("a", "gpu");
  busy.spec.capacity = 1;
  busy.status.active_tasks = 1;
  const auto why = explain_task(
      task({{"type", "gpu"}}, {{"phase", "Queued"}, {"queuedAt", "2026-01-01T00:09:00Z"}}), {busy}, kNow);
  EXPECT_THAT(why.because,
              ElementsAre(HasSubstr("are busy; it waits for room, queued 1m ago with priority 3")));
}

TEST(Why, ALockIsNamedWithItsHolderAndHowToBreakIt) {
  const auto why = explain_task(
      task({{"type", "x"}},
           {{"phase", "Queued"},
            {"reason", "WaitingForLock"},
            {"waitingForLock", {{"name", "prod"}, {"position", 2}, {"heldBy", "Task other (Exclusive)"}}}}),
      {}, kNow);
  EXPECT_THAT(why.because,
              ElementsAre(AllOf(HasSubstr("\"prod\""), HasSubstr("number 2"), HasSubstr("Task other"))));
  EXPECT_THAT(why.actions, Contains(HasSubstr("break-lock")));
}

TEST(Why, ASuspendedTaskIsResumedWithOneCommand) {
  const auto why = explain_task(task({{"type", "x"}, {"suspend", true}}, {{"phase", "Pending"}}), {}, kNow);
  EXPECT_THAT(why.actions, ElementsAre("kubectl convoke resume task/t"));
}

TEST(Why, ATaskThatNoOperatorHasSeenSaysThat) {
  const Json unseen = {
      {"metadata", {{"name", "t"}}}, {"spec", {{"type", "x"}}}, {"status", {{"observedGeneration", -1}}}};
  EXPECT_THAT(explain_task(unseen, {}, kNow).because, ElementsAre("The operator has not seen it yet."));
}

TEST(Why, AFailedTaskTellsEachAttempt) {
  const auto why = explain_task(
      task({{"type", "x"}},
           {{"phase", "Failed"},
            {"reason", "Failed"},
            {"message", "exit status 3"},
            {"attempts",
             {{{"attempt", 1}, {"agentName", "a"}, {"outcome", "Timeout"}, {"message", "too long"}}}}}),
      {}, kNow);
  EXPECT_THAT(why.because,
              ElementsAre(HasSubstr("exit status 3"), HasSubstr("Attempt 1 on a: Timeout, too long")));
}

Json run(Json spec, Json status) {
  status["observedGeneration"] = 1;
  return {{"metadata", {{"name", "r"}, {"namespace", "default"}, {"uid", "ru"}}},
          {"spec", std::move(spec)},
          {"status", std::move(status)}};
}

const Json kApprovalSpec = {
    {"steps",
     {{{"name", "ask"}, {"approval", {{"required", 2}, {"approvers", {"ann", "bob"}}}}},
      {{"name", "after"}, {"task", {{"type", "t"}}}, {"dependsOn", {"ask"}}}}}};

TEST(Why, ARunThatWaitsForApprovalSaysForWhomAndHow) {
  const auto why = explain_run(
      run({{"approvals", {{{"step", "ask"}, {"user", "ann"}, {"decision", "Approve"}}}}},
          {{"phase", "Running"},
           {"steps", {{{"name", "ask"}, {"phase", "Running"}}, {{"name", "after"}, {"phase", "Pending"}}}}}),
      kApprovalSpec, {}, {}, kNow);
  EXPECT_THAT(why.because,
              ElementsAre(AllOf(HasSubstr("2 approvals by ann or bob"), HasSubstr("ann (Approve)")),
                          "Step \"after\" waits for ask (Running)."));
  EXPECT_THAT(why.actions, Contains(HasSubstr("kubectl convoke approve r ask")));
}

TEST(Why, ARunThatWaitsForATaskExplainsTheTask) {
  World world;
  world.tasks["r-after"] = task({{"type", "gpu"}}, {{"phase", "Queued"}});
  world.tasks["r-after"]["metadata"]["name"] = "r-after";
  const auto why =
      explain_run(run({}, {{"phase", "Running"},
                           {"steps", {{{"name", "after"}, {"phase", "Running"}, {"taskName", "r-after"}}}}}),
                  kApprovalSpec, world, {agent("a", "cpu")}, kNow);
  EXPECT_THAT(why.because,
              ElementsAre(AllOf(HasSubstr("which is Queued"), HasSubstr("No agent can take it"))));
  EXPECT_EQ(why.agents.size(), 1U);
}

TEST(Why, AFailedRunNamesTheStepAndHowToTryAgain) {
  const auto why = explain_run(
      run({}, {{"phase", "Failed"},
               {"reason", "StepFailed"},
               {"message", "step \"after\" failed"},
               {"steps", {{{"name", "after"}, {"phase", "Failed"}, {"message", "exit status 1"}}}}}),
      kApprovalSpec, {}, {}, kNow);
  EXPECT_THAT(why.because, Contains(HasSubstr("Step \"after\" failed: exit status 1")));
  EXPECT_THAT(why.actions, ElementsAre(HasSubstr("kubectl convoke retry r")));
}

TEST(Why, ARunThatCannotBeRetriedNamesTheWayThatThereIs) {
  const auto why = explain_run(
      run({{"cancel", {{"reason", "no"}}}}, {{"phase", "Cancelled"},
                                             {"reason", "Cancelled"},
                                             {"steps", {{{"name", "after"}, {"phase", "Cancelled"}}}}}),
      kApprovalSpec, {}, {}, kNow);
  EXPECT_THAT(why.actions,
              ElementsAre(AllOf(HasSubstr("It was cancelled"), HasSubstr("kubectl convoke rerun r"))));
}

// A status of many rows drops the names of Tasks that ended.
TEST(Why, AFailedStepWhoseTaskIsNotNamedStillShowsIt) {
  World world;
  const auto add = [&world](const std::string& name, const Json& labels) {
    Json& object = world.tasks[name] = task({{"type", "t"}}, {{"phase", "Failed"}, {"agentName", "builder"}});
    object["metadata"]["name"] = name;
    object["metadata"]["labels"] = labels;
    object["metadata"]["ownerReferences"] = {{{"uid", "run-uid"}, {"controller", true}}};
  };
  add("r-after", {{"convoke.dev/step", "after"}});
  add("r-after-r1", {{"convoke.dev/step", "after"}, {"convoke.dev/round", "1"}});
  add("r-after-undo", {{"convoke.dev/step", "after"}, {"convoke.dev/undo", "true"}});
  Json failed = run({}, {{"phase", "Failed"},
                         {"reason", "StepFailed"},
                         {"steps", {{{"name", "after"}, {"phase", "Failed"}, {"round", 1}}}}});
  failed["metadata"]["uid"] = "run-uid";
  EXPECT_THAT(explain_run(failed, kApprovalSpec, world, {}, kNow).because,
              Contains(HasSubstr("Step \"after\" failed (task/r-after-r1, ")));
}

TEST(Why, WithoutADefinitionARunStillSaysWhatItKnows) {
  const auto why =
      explain_run(run({}, {{"phase", "Running"}, {"steps", {{{"name", "x"}, {"phase", "Pending"}}}}}), Json(),
                  {}, {}, kNow);
  EXPECT_THAT(why.because, ElementsAre(HasSubstr("Step \"x\"")));
  EXPECT_THAT(why.agents, IsEmpty());
}

TEST(Why, WorksOnACluster) {
  PluginWorld world;
  world.put(api::kTask, "t", {{"type", "gpu"}}, {{"phase", "Queued"}, {"observedGeneration", 1}});
  const auto status = why(world.context(true), "t");
  ASSERT_TRUE(status) << status.error().message;
  const auto json = Json::parse(world.out.str());
  EXPECT_EQ(json["object"], "task/t");
  EXPECT_EQ(json["phase"], "Queued");
}

}  // namespace
}  // namespace convoke::plugin
