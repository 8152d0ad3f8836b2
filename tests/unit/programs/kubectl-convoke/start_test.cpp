#include "programs/kubectl-convoke/start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/child_name.h"
#include "tests/unit/programs/kubectl-convoke/plugin_world.h"

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class StartTest : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.put(api::kWorkflow, "w",
               {{"parameters",
                 {{{"name", "who"}, {"required", true}},
                  {{"name", "count"}, {"type", "Number"}, {"default", 1}},
                  {{"name", "list"}, {"type", "Array"}}}},
                {"steps", {{{"name", "a"}, {"task", {{"type", "t"}}}}}}});
  }
  Result<int> start(std::vector<std::string> parameters) {
    StartRequest request;
    request.workflow = "w";
    request.parameters = std::move(parameters);
    return start_run(world_.context(), request, {});
  }
  PluginWorld world_;
};

TEST_F(StartTest, ParametersHaveTheTypesThatTheWorkflowSays) {
  ASSERT_TRUE(start({"who=007", "count=2", "list=[a, 1]"}));
  const auto runs = world_.server.objects(api::kWorkflowRun);
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0]["spec"]["parameters"], Json::parse(R"({"who": "007", "count": 2, "list": ["a", 1]})"));
  EXPECT_TRUE(name_of(runs[0]).starts_with("w-"));
}

TEST_F(StartTest, WrongParametersCreateNothing) {
  EXPECT_THAT(start({"count=2"}).error().message, HasSubstr("who: is required"));
  EXPECT_THAT(start({"who=x", "cuont=2"}).error().message, HasSubstr("did you mean \"count\"?"));
  EXPECT_THAT(start({"who=x", "count=many"}).error().message, HasSubstr("expected a value of type Number"));
  EXPECT_THAT(start({"who"}).error().message, HasSubstr("write name=value"));
  EXPECT_TRUE(world_.server.objects(api::kWorkflowRun).empty());
}

TEST_F(StartTest, ARevisionHasParametersOfItsOwn) {
  world_.server.put(api::kControllerRevision,
                    {{"metadata", {{"name", "w-1"}, {"namespace", "default"}}},
                     {"revision", 1},
                     {"data", {{"parameters", {{{"name", "old"}, {"type", "Number"}}}}}}});
  StartRequest request;
  request.workflow = "w";
  request.revision = "w-2";
  EXPECT_THAT(start_run(world_.context(), request, {}).error().message, HasSubstr("did you mean \"w-1\"?"));
  request.revision = "w-1";
  request.parameters = {"who=x"};
  EXPECT_THAT(start_run(world_.context(), request, {}).error().message, HasSubstr("it has old"));
  request.parameters = {"old=7"};
  ASSERT_TRUE(start_run(world_.context(), request, {}));
  EXPECT_EQ(world_.server.objects(api::kWorkflowRun)[0]["spec"]["parameters"], Json({{"old", 7}}));
}

TEST_F(StartTest, ADryRunCreatesNothingAndPrintsAManifest) {
  StartRequest request;
  request.workflow = "w";
  request.parameters = {"who=x"};
  request.dry_run = true;
  request.name = "mine";
  ASSERT_TRUE(start_run(world_.context(), request, {}));
  const auto run = Json::parse(world_.out.str());
  EXPECT_EQ(text_at(run, "/metadata/name"), "mine");
  EXPECT_EQ(text_at(run, "/kind"), "WorkflowRun");
  EXPECT_TRUE(world_.server.objects(api::kWorkflowRun).empty());
}

class RerunTest : public StartTest {
 protected:
  void SetUp() override {
    StartTest::SetUp();
    world_.server.put(api::kControllerRevision,
                      {{"metadata", {{"name", "w-1"}, {"namespace", "default"}}},
                       {"revision", 1},
                       {"data", {{"parameters", {{{"name", "old"}, {"type", "Number"}}}}}}});
  }

  // The one run that is there beside `earlier`.
  Json made(const std::string& earlier) const {
    Json found;
    for (const auto& run : world_.server.objects(api::kWorkflowRun)) {
      if (name_of(run) == earlier) continue;
      EXPECT_TRUE(found.is_null());
      found = run;
    }
    return found;
  }
  Result<int> rerun_of(const std::string& run, std::vector<std::string> parameters = {},
                       bool same_revision = false) {
    RerunRequest request;
    request.run = run;
    request.parameters = std::move(parameters);
    request.same_revision = same_revision;
    return rerun(world_.context(), request, {});
  }
};

TEST_F(RerunTest, ARunWhoseWorkflowIsGoneIsNotStartedAgainAndSaysWhatToDo) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "gone"}}, {{"phase", "Succeeded"}});
  const auto done = rerun_of("r");
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("the Workflow gone of run r does not exist any more"),
                                          HasSubstr("Apply the Workflow again")));
  EXPECT_TRUE(made("r").is_null());
}

TEST_F(RerunTest, ParametersThatDoNotFitAnyMoreAreRefusedWithTheWayOut) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}, {"parameters", {{"old", 7}}}},
             {{"phase", "Succeeded"}, {"revision", "w-1"}});
  const auto changed = rerun_of("r");
  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().message, AllOf(HasSubstr("who: is required"), HasSubstr("--same-revision")));
  ASSERT_TRUE(rerun_of("r", {"old=8"}, true));
  const Json spec = made("r")["spec"];
  EXPECT_EQ(spec["revision"], "w-1");
  EXPECT_EQ(spec["parameters"], Json({{"old", 8}}));
}

TEST_F(RerunTest, WrongParametersAndRevisionsAreRefused) {
  world_.put(api::kWorkflowRun, "r", {{"workflowName", "w"}, {"parameters", {{"who", "x"}}}},
             {{"phase", "Pending"}});
  EXPECT_THAT(rerun_of("r", {"cuont=2"}).error().message, HasSubstr("did you mean \"count\"?"));
  EXPECT_THAT(rerun_of("r", {}, true).error().message, HasSubstr("status.revision is empty"));
  EXPECT_THAT(rerun_of("t").error().message, HasSubstr("there is no WorkflowRun \"t\""));
  world_.put(api::kWorkflowRun, "pinned", {{"workflowName", "w"}, {"revision", "w-0"}});
  EXPECT_THAT(rerun_of("pinned").error().message, HasSubstr("name a revision that exists with --revision"));
}

TEST_F(RerunTest, TheNewRunHasWhatTheOldOneWasGivenAndNothingThatWasDecidedAboutIt) {
  Json run = {{"metadata",
               {{"name", "w-nightly-1"},
                {"namespace", "default"},
                {"labels", {{api::label::kWorkflow, "w"}, {api::label::kTrigger, "nightly"}}},
                {"annotations", {{"convoke.dev/scheduled-at", "2026-01-01T00:00:00Z"}}},
                {"ownerReferences",
                 {{{"apiVersion", api::kWorkflow.api_version()},
                   {"kind", "Workflow"},
                   {"name", "w"},
                   {"uid", uid_of(world_.get(api::kWorkflow, "w"))},
                   {"controller", true}}}}}},
              {"spec",
               {{"workflowName", "w"},
                {"parameters", {{"who", "x"}, {"count", 2}}},
                {"event", {{"id", "e1"}, {"data", {{"a", 1}}}}},
                {"ttlAfterFinished", "2h"},
                {"triggeredBy", "Schedule nightly"},
                {"createdBy", "Workflow/w"},
                {"suspend", true},
                {"cancel", {{"reason", "no"}}},
                {"approvals", {{{"step", "a"}, {"user", "bob"}, {"decision", "Approve"}}}},
                {"retryFrom", {{"round", 1}}}}},
              {"status", {{"phase", "Cancelled"}, {"revision", "w-9"}}}};
  world_.server.put(api::kWorkflowRun, run);
  const auto done = rerun_of("run/w-nightly-1", {"count=3"});
  ASSERT_TRUE(done) << done.error().message;
  const Json again = made("w-nightly-1");
  EXPECT_TRUE(name_of(again).starts_with("w-"));
  EXPECT_EQ(value_at(again, "/metadata/labels"), Json({{api::label::kWorkflow, "w"}}));
  EXPECT_TRUE(value_at(again, "/metadata/annotations").is_null());
  EXPECT_TRUE(value_at(again, "/metadata/ownerReferences").is_null());
  EXPECT_EQ(again["spec"], Json({{"workflowName", "w"},
                                 {"parameters", {{"who", "x"}, {"count", 3}}},
                                 {"event", {{"id", "e1"}, {"data", {{"a", 1}}}}},
                                 {"ttlAfterFinished", "2h"},
                                 {"triggeredBy", "kubectl convoke rerun of w-nightly-1"},
                                 {"createdBy", "alice"}}));
}

TEST_F(RerunTest, ARunWithADefinitionOfItsOwnIsStartedAgainWithIt) {
  const Json own = {{"parameters", {{{"name", "n"}, {"type", "Number"}, {"default", 1}}}},
                    {"steps", {{{"name", "a"}, {"task", {{"type", "t"}}}}}}};
  world_.put(api::kWorkflowRun, "solo", {{"workflowSpec", own}}, {{"phase", "Failed"}});
  EXPECT_THAT(rerun_of("solo", {"n=many"}).error().message, HasSubstr("expected a value of type Number"));
  RerunRequest pinned;
  pinned.run = "solo";
  pinned.revision = "w-1";
  EXPECT_THAT(rerun(world_.context(), pinned, {}).error().message, HasSubstr("a definition of its own"));
  ASSERT_TRUE(rerun_of("solo", {"n=2"}));
  const Json again = made("solo");
  EXPECT_TRUE(name_of(again).starts_with("solo-"));
  EXPECT_EQ(again["spec"]["workflowSpec"], own);
  EXPECT_EQ(again["spec"]["parameters"], Json({{"n", 2}}));
  EXPECT_TRUE(value_at(again, "/metadata/labels").is_null());
}

}  // namespace
}  // namespace convoke::plugin
