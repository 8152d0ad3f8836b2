#include "programs/kubectl-convoke/change.h"

#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "programs/kubectl-convoke/json_view.h"
#include "tests/unit/programs/kubectl-convoke/plugin_world.h"

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ChangeTest : public ::testing::Test {
 protected:
  PluginWorld world_;
};

const Json kRunning = {{"phase", "Running"}};

TEST_F(ChangeTest, CancelWritesTheReasonOnceAndKeepsTheFirst) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, kRunning);
  ASSERT_TRUE(cancel(world_.context(), {"r", "too slow", true}));
  EXPECT_EQ(world_.get(api::kWorkflowRun, "r")["spec"]["cancel"],
            Json({{"reason", "too slow"}, {"compensate", true}}));
  const auto again = cancel(world_.context(), {"run/r", "other", {}});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(text_at(world_.get(api::kWorkflowRun, "r"), "/spec/cancel/reason"), "too slow");
  EXPECT_THAT(world_.out.str(), HasSubstr("was cancelled already"));
}

TEST_F(ChangeTest, CancelMayBeForcedLater) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, kRunning);
  ASSERT_TRUE(cancel(world_.context(), {"r", "too slow", {}}));
  const auto forced = cancel(world_.context(), {"r", "", {}, true});
  ASSERT_TRUE(forced) << forced.error().message;
  EXPECT_EQ(world_.get(api::kWorkflowRun, "r")["spec"]["cancel"],
            Json({{"reason", "too slow"}, {"force", true}}));
  EXPECT_THAT(world_.out.str(), HasSubstr("is being cancelled, and finally with it"));
  world_.put(api::kTask, "t", {{"type", "x"}}, kRunning);
  EXPECT_FALSE(cancel(world_.context(), {"task/t", "", {}, true}));
}

TEST_F(ChangeTest, ARunThatIsBeingCancelledMayBeUndoneAfterAll) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, kRunning);
  ASSERT_TRUE(cancel(world_.context(), {"r", "too slow", {}}));
  const auto undone = cancel(world_.context(), {"r", "", true});
  ASSERT_TRUE(undone) << undone.error().message;
  EXPECT_EQ(world_.get(api::kWorkflowRun, "r")["spec"]["cancel"],
            Json({{"reason", "too slow"}, {"compensate", true}}));
  EXPECT_THAT(world_.out.str(), HasSubstr("was cancelled already; what it has done is undone now too"));
  ASSERT_TRUE(cancel(world_.context(), {"r", "", false}));
  EXPECT_EQ(value_at(world_.get(api::kWorkflowRun, "r"), "/spec/cancel/compensate"), false);
}

TEST_F(ChangeTest, WhatIsBeingUndoneGoesOn) {
  const Json cancelled = {{"workflowName", "w"}, {"cancel", {{"compensate", true}}}};
  world_.put(api::kWorkflowRun, "r", cancelled, {{"phase", "Compensating"}});
  const auto done = cancel(world_.context(), {"r", "", false});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("is being undone"));
  EXPECT_EQ(world_.get(api::kWorkflowRun, "r")["spec"], cancelled);
}

TEST_F(ChangeTest, WhatHasEndedIsNotCancelled) {
  world_.put(api::kTask, "t", {{"type", "x"}}, {{"phase", "Succeeded"}});
  const auto done = cancel(world_.context(), {"t", "", {}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("task/t has ended already: it is Succeeded"));
}

TEST_F(ChangeTest, SuspendAndResumeFindRunsTasksAndWorkflows) {
  world_.put(api::kWorkflow, "w", {{"steps", Json::array()}});
  world_.put(api::kTask, "t", {{"type", "x"}, {"suspend", true}}, {{"phase", "Queued"}});
  ASSERT_TRUE(set_suspended(world_.context(), "w", true));
  ASSERT_TRUE(set_suspended(world_.context(), "ctk/t", false));
  EXPECT_EQ(world_.get(api::kWorkflow, "w")["spec"]["suspend"], true);
  EXPECT_EQ(world_.get(api::kTask, "t")["spec"]["suspend"], false);
}

TEST_F(ChangeTest, ALostRaceIsDecidedAgain) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, kRunning);
  world_.server.fail_next({.method = "PATCH"}, fakes::Fault::conflict());
  ASSERT_TRUE(set_suspended(world_.context(), "r", true));
  EXPECT_EQ(world_.get(api::kWorkflowRun, "r")["spec"]["suspend"], true);
}

TEST_F(ChangeTest, RetryGoesToTheNextRoundOfARunThatFailed) {
  Json status = {
      {"phase", "Failed"}, {"round", 2}, {"steps", Json::array({{{"name", "a"}, {"phase", "Failed"}}})}};
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, status);
  const auto wrong = retry(world_.context(), {"r", {"b"}});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("has no step \"b\"; it has a"));
  ASSERT_TRUE(retry(world_.context(), {"r", {"a"}}));
  EXPECT_EQ(world_.get(api::kWorkflowRun, "r")["spec"]["retryFrom"], Json({{"round", 3}, {"steps", {"a"}}}));
}

TEST_F(ChangeTest, ARunThatGoesOnIsNotRetried) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}}, kRunning);
  EXPECT_FALSE(retry(world_.context(), {"r", {}}));
}

TEST_F(ChangeTest, ARunThatTheOperatorWouldNeverRetryIsRefusedWithWhatToDo) {
  const Json steps = Json::array({{{"name", "a"}, {"phase", "Succeeded"}}});
  const Json spec = {{"workflowName", "w"}};
  Json cancelled = spec;
  cancelled["cancel"] = {{"reason", "no"}};
  const std::vector<std::tuple<Json, Json, const char*>> runs = {
      {spec, {{"phase", "Succeeded"}, {"steps", steps}}, "run/r succeeded"},
      {cancelled, {{"phase", "Cancelled"}, {"steps", steps}}, "run/r was cancelled"},
      {spec, {{"phase", "Failed"}, {"reason", "InvalidParameters"}}, "run/r never started"},
      {spec,
       {{"phase", "Failed"}, {"reason", "StatusTooLarge"}, {"steps", steps}},
       "a status that did not fit"}};
  for (const auto& [its_spec, status, why] : runs) {
    world_.put(api::kWorkflowRun, "r", its_spec, status);
    const auto done = retry(world_.context(), {"r", {"a"}});
    ASSERT_FALSE(done) << why;
    EXPECT_THAT(done.error().message, AllOf(HasSubstr(why), HasSubstr("kubectl convoke rerun r")));
    EXPECT_FALSE(world_.get(api::kWorkflowRun, "r")["spec"].contains("retryFrom")) << why;
  }
}

TEST_F(ChangeTest, ANameThatIsWrongIsAnsweredWithTheOneThatIsSimilar) {
  world_.put(api::kWorkflowRun, "release-1", {{"workflowName", "w"}}, kRunning);
  const auto done = cancel(world_.context(), {"relaese-1", "", {}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("there is no WorkflowRun or Task \"relaese-1\""),
                                          HasSubstr("did you mean \"release-1\"?")));
}

TEST(Approval, OnlyStepsThatWaitForAPersonCount) {
  const Json spec = {
      {"steps", {{{"name", "a"}, {"approval", Json::object()}}, {{"name", "b"}, {"task", Json::object()}}}}};
  const Json run = {
      {"status",
       {{"steps", {{{"name", "a"}, {"phase", "Running"}}, {{"name", "b"}, {"phase", "Running"}}}}}}};
  EXPECT_THAT(waiting_approvals(run, spec), testing::ElementsAre("a"));
}

class ApprovalTest : public ChangeTest {
 protected:
  Json put_run(const std::vector<std::string>& waiting, Json approvals = Json()) {
    Json spec = {{"workflowSpec", {{"steps", Json::array()}}}};
    Json rows = Json::array();
    for (const auto& name : waiting) {
      spec["workflowSpec"]["steps"].push_back({{"name", name}, {"approval", Json::object()}});
      rows.push_back({{"name", name}, {"phase", "Running"}});
    }
    if (!approvals.is_null()) spec["approvals"] = std::move(approvals);
    return world_.put(api::kWorkflowRun, "r", spec, {{"phase", "Running"}, {"steps", rows}});
  }
  Json approvals() const { return world_.get(api::kWorkflowRun, "r")["spec"]["approvals"]; }
};

TEST_F(ApprovalTest, TheOneStepThatWaitsNeedsNoName) {
  put_run({"ask"});
  ASSERT_TRUE(decide_approval(world_.context(), {"r", "", true, "fine"}));
  EXPECT_EQ(approvals(), Json::parse(R"([{"step": "ask", "user": "alice", "round": 0, "decision": "Approve",
                                         "comment": "fine"}])"));
  EXPECT_THAT(world_.out.str(), HasSubstr("run/r ask approved by alice"));
}

TEST_F(ApprovalTest, ThoseOfOthersStay) {
  const Json other = {{"step", "ask"}, {"user", "bob"}, {"decision", "Approve"}};
  put_run({"ask"}, Json::array({other}));
  ASSERT_TRUE(decide_approval(world_.context(), {"r", "ask", false, ""}));
  ASSERT_EQ(approvals().size(), 2U);
  EXPECT_EQ(approvals()[0], other);
  EXPECT_EQ(approvals()[1]["decision"], "Reject");
}

TEST_F(ApprovalTest, ADecisionDoesNotChange) {
  put_run({"ask"}, Json::array({{{"step", "ask"}, {"user", "alice"}, {"decision", "Approve"}}}));
  EXPECT_TRUE(decide_approval(world_.context(), {"r", "ask", true, ""}));
  world_.forget_reviews();
  const auto other = decide_approval(world_.context(), {"r", "ask", false, ""});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("a decision does not change"));
  EXPECT_EQ(approvals().size(), 1U);
}

TEST_F(ApprovalTest, OfSeveralStepsOneMustBeNamed) {
  put_run({"first", "second"});
  const auto done = decide_approval(world_.context(), {"r", "", true, ""});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("waits for these: first, second"));
}

TEST_F(ApprovalTest, ARunThatWaitsForNobodySaysSo) {
  put_run({});
  EXPECT_THAT(decide_approval(world_.context(), {"r", "", true, ""}).error().message,
              HasSubstr("waits for no approval"));
}

}  // namespace
}  // namespace convoke::plugin
