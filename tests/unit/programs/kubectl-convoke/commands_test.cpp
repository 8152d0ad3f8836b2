#include "programs/kubectl-convoke/commands.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "programs/kubectl-convoke/json_view.h"
#include "tests/unit/controller/kube/temp_directory.h"
#include "tests/unit/programs/kubectl-convoke/plugin_world.h"

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kTwo[] = R"yaml(apiVersion: convoke.dev/v1alpha1
kind: Workflow
metadata: {name: inner}
spec:
  triggers: []
  parameters: [{name: page, required: true}]
  steps: [{name: draw, task: {type: $(params.page)}}]
---
apiVersion: convoke.dev/v1alpha1
kind: Workflow
metadata: {name: outer}
spec:
  triggers: []
  parameters: [{name: kind, default: fast}]
  steps:
    - {name: first, task: {type: $(params.kind)}}
    - {name: page, dependsOn: [first], workflow: {name: inner, parameters: {page: fast}}}
)yaml";

constexpr char kCycle[] = R"(apiVersion: convoke.dev/v1alpha1
kind: Workflow
metadata: {name: cyclic}
spec:
  steps:
    - {name: a, dependsOn: [b], task: {type: t}}
    - {name: b, dependsOn: [a], task: {type: t}}
)";

// Standard input is the file of every test.
class Commands : public ::testing::Test {
 protected:
  Result<int> run(Invocation invocation, const std::string& manifests) {
    std::istringstream in(manifests);
    if (invocation.files.empty()) invocation.files = {"-"};
    const auto inputs = read_inputs(invocation, in);
    if (!inputs) return inputs.error();
    was_offline_ = is_offline(invocation, *inputs);
    if (was_offline_) return run_offline(invocation, *inputs, {}, in, world_.out, world_.err);
    return run_command(world_.context(invocation.json()), invocation, *inputs);
  }
  static Invocation plan(const std::string& workflow = "", std::vector<std::string> parameters = {}) {
    Invocation invocation;
    invocation.command = Command::Plan;
    invocation.workflow = workflow;
    invocation.parameters = std::move(parameters);
    invocation.offline = true;
    return invocation;
  }
  static Invocation graph() {
    Invocation invocation;
    invocation.command = Command::Graph;
    return invocation;
  }
  static Invocation online(Invocation invocation) {
    invocation.offline = false;
    return invocation;
  }
  static Invocation as_json(Invocation invocation) {
    invocation.output = "json";
    return invocation;
  }
  std::string out() const { return world_.out.str(); }
  std::string err() const { return world_.err.str(); }

  PluginWorld world_;
  bool was_offline_ = false;
};

TEST_F(Commands, AFileThatIsNotThereIsToldBeforeAnyClusterIsAsked) {
  auto invocation = online(plan());
  invocation.files = {"/no/such/file"};
  std::istringstream in;
  const auto inputs = read_inputs(invocation, in);
  ASSERT_FALSE(inputs);
  EXPECT_THAT(inputs.error().message, HasSubstr("/no/such/file"));
  Invocation start;
  start.command = Command::Run;
  start.parameters_file = "/no/such/file";
  EXPECT_FALSE(read_inputs(start, in));
}

TEST_F(Commands, AClusterThatCannotBeAskedIsToldWithWhatCanBeDoneWithoutIt) {
  world_.server.fail_next({.method = "GET"}, fakes::Fault::answer(fakes::forbidden(api::kAgent, "", "no")));
  const auto done = run(online(plan()), kTwo);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("--offline"));
  Invocation tree;
  EXPECT_EQ(without_cluster({ErrorCode::Unavailable, "gone"}, tree).message, "gone");
}

TEST_F(Commands, PlanRefusesWhatLintRefusesWithItsLineAndWithoutACluster) {
  std::string misspelled = kTwo;
  misspelled.replace(misspelled.find("dependsOn"), 9, "dependOn");
  for (const auto& [text, message] :
       {std::pair<std::string, const char*>{kCycle, "-:6:17: error: Workflow cyclic: "},
        {misspelled, "-:17:"},
        {"kind: Workflow\nspec: {steps: []}\n", "-:1:1: error: this is no Kubernetes object"},
        {"a: [", "-:1:"}}) {
    const auto done = run(online(plan()), text);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(*done, kSaysNo);
    EXPECT_TRUE(was_offline_);
    EXPECT_THAT(err(), HasSubstr(message));
    EXPECT_THAT(out(), IsEmpty());
  }
  ASSERT_EQ(run(as_json(plan()), kCycle).value(), kSaysNo);
  const auto json = Json::parse(out());
  EXPECT_EQ(json["errors"], 1);
  EXPECT_EQ(json["findings"][0]["line"], 6);
}

TEST_F(Commands, AManifestWithoutADefinitionIsAnError) {
  const auto done = run(plan(), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("there is no Workflow in the file"));
}

TEST_F(Commands, EveryWorkflowOfAFileIsPlannedByName) {
  ASSERT_EQ(run(plan("", {"kind=slow"}), kTwo).value(), kDone) << err();
  EXPECT_THAT(out(), AllOf(HasSubstr("Workflow inner\nLAYER"), HasSubstr("Missing: page (String)"),
                           HasSubstr("\n\nWorkflow outer\nLAYER"), HasSubstr("slow"),
                           HasSubstr("2.1      draw  fast")));
  EXPECT_FALSE(run(plan("", {"knid=slow"}), kTwo));
}

TEST_F(Commands, OneWorkflowOfAFileIsChosen) {
  const auto wrong = run(plan("outre"), kTwo);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("did you mean \"outer\"?"));
  ASSERT_EQ(run(as_json(plan("outer")), kTwo).value(), kDone);
  EXPECT_EQ(Json::parse(out())["workflow"], "outer");
}

TEST_F(Commands, SeveralPlansAreOneDocumentOfJson) {
  ASSERT_EQ(run(as_json(plan()), kTwo).value(), kDone);
  EXPECT_EQ(Json::parse(out())["plans"].size(), 2U);
}

TEST_F(Commands, WhatIsNotInTheFileIsLookedForInTheCluster) {
  constexpr char kRun[] =
      R"({"apiVersion": "convoke.dev/v1alpha1", "kind": "WorkflowRun", "metadata": {"name": "r"},
    "spec": {"workflowName": "outer", "parameters": {"kind": "slow"}}})";
  EXPECT_THAT(run(plan(), kRun).error().message, HasSubstr("leave out --offline"));
  EXPECT_THAT(run(online(plan()), kRun).error().message, HasSubstr("nor in namespace default"));
  world_.put(api::kWorkflow, "outer", Json::parse(R"json({"parameters": [{"name": "kind"}], "steps": [
               {"name": "a", "task": {"type": "$(params.kind)"}}, {"name": "b", "workflow": {"name": "inner"}}]})json"));
  world_.put(api::kWorkflow, "inner", Json::parse(R"({"steps": [{"name": "c", "task": {"type": "t"}}]})"));
  world_.put(api::kAgent, "x", {{"type", "worker"}, {"capabilities", {"slow"}}}, {{"phase", "Ready"}});
  ASSERT_EQ(run(as_json(online(plan())), kRun).value(), kDone);
  const auto json = Json::parse(out());
  EXPECT_EQ(text_at(json, "/steps/0/agents/qualified/0/agentName"), "x");
  EXPECT_EQ(text_at(json, "/steps/1/plan/steps/0/name"), "c");
}

constexpr char kInTeam[] = R"yaml(apiVersion: convoke.dev/v1alpha1
kind: Workflow
metadata: {name: w, namespace: team}
spec:
  triggers: []
  parameters: [{name: size, type: Number, default: 1}]
  steps: [{name: a, task: {type: t}}]
---
apiVersion: convoke.dev/v1alpha1
kind: Workflow
metadata: {name: w, namespace: other}
spec:
  triggers: []
  steps: [{name: b, task: {type: t}}]
---
apiVersion: convoke.dev/v1alpha1
kind: WorkflowRun
metadata: {name: r, namespace: team}
spec: {workflowName: w, parameters: {size: 7}}
)yaml";

TEST_F(Commands, APlanIsOfTheNamespaceThatTheFileNames) {
  world_.server.put(api::kAgent, {{"metadata", {{"name", "x"}, {"namespace", "team"}}},
                                  {"spec", {{"type", "worker"}, {"capabilities", {"t"}}}},
                                  {"status", {{"phase", "Ready"}}}});
  ASSERT_EQ(run(as_json(online(plan())), kInTeam).value(), kDone) << err();
  const auto plans = Json::parse(out())["plans"];
  ASSERT_EQ(plans.size(), 2U);
  EXPECT_EQ(plans[0]["namespace"], "team");
  EXPECT_EQ(plans[0]["parameters"], Json({{"size", 7}}));
  EXPECT_EQ(plans[0]["stepsWithoutAgents"], 0);
  EXPECT_EQ(plans[1]["namespace"], "other");
  EXPECT_EQ(plans[1]["stepsWithoutAgents"], 1);
}

TEST_F(Commands, ANamespaceThatContradictsTheFileIsRefused) {
  auto elsewhere = plan();
  elsewhere.namespace_ = "default";
  const auto done = run(elsewhere, kInTeam);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("w is in namespace team, and not in default: use -n team"));
  auto one = plan("w");
  one.namespace_ = "team";
  ASSERT_EQ(run(as_json(one), kInTeam).value(), kDone);
  EXPECT_EQ(text_at(Json::parse(out()), "/steps/0/name"), "a");
}

TEST_F(Commands, WhatNamesNoNamespaceIsInThatOfTheCluster) {
  const std::string here =
      R"({"apiVersion": "convoke.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "w",
      "namespace": "default"}, "spec": {"parameters": [{"name": "size"}], "triggers": [],
      "steps": [{"name": "a", "task": {"type": "t"}}]}})";
  const std::string its_run = R"({"apiVersion": "convoke.dev/v1alpha1", "kind": "WorkflowRun", "metadata":
      {"name": "r"}, "spec": {"workflowName": "w", "parameters": {"size": "7"}}})";
  ASSERT_EQ(run(as_json(online(plan())), here + "\n---\n" + its_run).value(), kDone) << err();
  const auto json = Json::parse(out());
  EXPECT_EQ(text_at(json, "/parameters/size"), "7");
}

TEST_F(Commands, ARunOfARevisionIsPlannedAsThatOrSaysThatItIsNot) {
  const std::string pinned = R"({"apiVersion": "convoke.dev/v1alpha1", "kind": "WorkflowRun", "metadata":
      {"name": "r"}, "spec": {"workflowName": "w", "revision": "w-1"}})";
  world_.put(api::kWorkflow, "w", Json::parse(R"({"steps": [{"name": "new", "task": {"type": "t"}}]})"));
  ASSERT_EQ(run(online(plan()), pinned).value(), kDone) << err();
  EXPECT_THAT(out(),
              AllOf(HasSubstr("new"), HasSubstr("is to execute the revision w-1, which cannot be read")));
  world_.server.put(api::kControllerRevision,
                    {{"metadata", {{"name", "w-1"}, {"namespace", "default"}}},
                     {"revision", 1},
                     {"data", Json::parse(R"({"steps": [{"name": "old", "task": {"type": "t"}}]})")}});
  world_.out.str("");
  ASSERT_EQ(run(as_json(online(plan())), pinned).value(), kDone) << err();
  const auto json = Json::parse(out());
  EXPECT_EQ(text_at(json, "/steps/0/name"), "old");
  EXPECT_FALSE(json.contains("revisionNotPlanned"));
}

TEST_F(Commands, OverlaysOfAFolderAreEachPlanned) {
  const kube::TempDirectory folder;
  for (const std::string name : {"prod", "test"}) {
    std::filesystem::create_directory(folder.path() + "/" + name);
    folder.write(name + "/w.yaml", R"({"apiVersion": "convoke.dev/v1alpha1", "kind": "Workflow", "metadata":
        {"name": "w"}, "spec": {"triggers": [], "steps": [{"name": ")" +
                                       name + R"(", "task": {"type": "t"}}]}})");
  }
  auto invocation = plan();
  invocation.files = {folder.path()};
  ASSERT_EQ(run(invocation, "").value(), kDone) << err();
  EXPECT_THAT(out(), AllOf(HasSubstr("Workflow w (" + folder.path() + "/prod/w.yaml)"),
                           HasSubstr("Workflow w (" + folder.path() + "/test/w.yaml)")));
}

TEST_F(Commands, TheGraphOfAWrongDefinitionIsDrawnAndRefused) {
  ASSERT_EQ(run(graph(), kCycle).value(), kSaysNo);
  EXPECT_THAT(err(), HasSubstr("-:6:17: error: Workflow cyclic: "));
  EXPECT_THAT(out(), AllOf(HasSubstr("s0 --> s1"), HasSubstr("s1 --> s0")));
}

TEST_F(Commands, TheGraphOfAGoodFileIsThatOfTheChosenWorkflow) {
  ASSERT_EQ(run(graph(), kTwo).value(), kDone);
  EXPECT_THAT(err(), HasSubstr("this is inner"));
  EXPECT_THAT(out(), Not(HasSubstr("first")));
  auto outer = graph();
  outer.workflow = "outer";
  ASSERT_EQ(run(outer, kTwo).value(), kDone);
  EXPECT_THAT(out(), HasSubstr("first"));
}

}  // namespace
}  // namespace convoke::plugin
