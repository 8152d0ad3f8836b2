#include "programs/kubectl-convoke/lint.h"

#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string told(const Finding& finding) {
  return std::to_string(finding.position.line) +
         (finding.severity == Severity::Error ? " error " : " warning ") + finding.field + ": " +
         finding.message;
}

std::vector<std::string> lint(const std::string& text) {
  std::istringstream in(text);
  std::vector<Finding> findings;
  const auto manifests = read_manifests({"-"}, in, findings);
  EXPECT_TRUE(manifests);
  const auto report = check_manifests(*manifests);
  findings.insert(findings.end(), report.findings.begin(), report.findings.end());
  std::vector<std::string> lines;
  for (const auto& finding : findings) lines.push_back(told(finding));
  return lines;
}

constexpr char kWorkflow[] = R"(apiVersion: convoke.dev/v1alpha1
kind: Workflow
metadata: {name: build}
spec:
  triggers: []
  steps:
)";

std::string workflow(const std::string& steps) {
  return kWorkflow + steps;
}

TEST(Lint, SaysNothingOfTheSamples) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(CONVOKE_SAMPLES)) {
    if (entry.path().extension() == ".yaml" && entry.path().parent_path().filename() == "samples") {
      files.push_back(entry.path());
    }
  }
  ASSERT_GE(files.size(), 4U);
  std::istringstream in;
  std::vector<Finding> unreadable;
  const auto manifests = read_manifests(files, in, unreadable);
  ASSERT_TRUE(manifests);
  const auto report = check_manifests(*manifests);
  EXPECT_GE(report.checked, 4);
  for (const auto& finding : report.findings) {
    EXPECT_NE(finding.severity, Severity::Error) << finding.file << ":" << told(finding);
  }
  EXPECT_THAT(unreadable, IsEmpty());
}

TEST(Lint, AnUnknownFieldHasItsLineAndTheNameThatWasMeant) {
  EXPECT_THAT(
      lint(workflow("  - name: a\n    task: {type: shell}\n    dependOn: [b]\n")),
      ElementsAre("9 error spec.steps[0].dependOn: unknown field \"dependOn\"; did you mean \"dependsOn\"?"));
}

TEST(Lint, TheOperatorsOwnCheckFindsACycle) {
  EXPECT_THAT(
      lint(workflow("  - {name: a, task: {type: t}, dependsOn: [b]}\n"
                    "  - {name: b, task: {type: t}, dependsOn: [a]}\n")),
      ElementsAre(AllOf(HasSubstr("7 error spec.steps[a].dependsOn: cycle"), HasSubstr("a → b → a"))));
}

TEST(Lint, AnExpressionThatNamesNoStepIsFoundAtItsStep) {
  EXPECT_THAT(lint(workflow("  - name: a\n    task: {type: t, parameters: {x: \"$(steps.b.outputs.y)\"}}\n")),
              ElementsAre(HasSubstr("8 error spec.steps[a].task")));
}

TEST(Lint, AWrongTypeIsSaidOnceAndWithARemedy) {
  EXPECT_THAT(
      lint(workflow("  - name: yes\n    task: {type: t}\n")),
      ElementsAre("7 error spec.steps[0].name: must be of type string, not boolean: put it in quotes"));
}

TEST(Lint, ARuleOfTheSchemaSaysItsMessage) {
  EXPECT_THAT(lint("apiVersion: convoke.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {name: r}\nspec: {}\n"),
              Contains(HasSubstr("exactly one of workflowName and workflowSpec")));
}

TEST(Lint, AKindThatDoesNotExistIsNamedWithTheOneThatDoes) {
  EXPECT_THAT(lint("apiVersion: convoke.dev/v1alpha1\nkind: Workflw\nmetadata: {name: r}\n"),
              ElementsAre(AllOf(HasSubstr("2 error kind"), HasSubstr("did you mean Workflow?"))));
}

TEST(Lint, ARunIsCheckedAgainstTheParametersOfAWorkflowBesideIt) {
  EXPECT_THAT(lint(workflow("  - {name: a, task: {type: t}}\n") +
                   "---\napiVersion: convoke.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {name: r}\n"
                   "spec:\n  workflowName: build\n  parameters:\n    speed: 3\n"),
              ElementsAre("15 error spec.parameters.speed: the workflow has no such parameter"));
}

TEST(Lint, ATaskTypeThatNoAgentBesideItCanDoIsAWarning) {
  EXPECT_THAT(
      lint("apiVersion: convoke.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\n"
           "spec: {type: builder, capabilities: [compile]}\n---\n"
           "apiVersion: convoke.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec: {type: compil}\n"),
      ElementsAre(AllOf(HasSubstr("warning spec.type"), HasSubstr("did you mean \"compile\""))));
}

TEST(Lint, AStepThatOutlivesItsRunIsAWarning) {
  EXPECT_THAT(lint(workflow("  - name: a\n    task: {type: t}\n    timeout: 5h\n")),
              ElementsAre(AllOf(HasSubstr("9 warning spec.steps[0].timeout"), HasSubstr("1h"))));
}

TEST(Lint, AnAgentWithoutATypeIsAWarning) {
  EXPECT_THAT(
      lint("apiVersion: convoke.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec: {capabilities: [x]}\n"),
      ElementsAre(HasSubstr("warning spec: the agent has no type")));
}

TEST(Lint, WhatIsNoYamlIsAFindingWithItsLine) {
  EXPECT_THAT(lint("a: [\nb"), ElementsAre(HasSubstr("this is not YAML")));
}

TEST(Lint, TwoObjectsOfOneNameAreAnError) {
  const std::string task =
      "apiVersion: convoke.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec: {type: x}\n";
  EXPECT_THAT(lint(task + "---\n" + task),
              ElementsAre(HasSubstr("there is another Task of this name in -:3")));
}

TEST(Lint, ItemsOfAListAndKeysThatStandTwiceAreSeen) {
  EXPECT_THAT(lint("apiVersion: v1\nkind: List\nitems:\n- apiVersion: convoke.dev/v1alpha1\n  kind: Task\n"
                   "  metadata: {name: t}\n  spec:\n    type: x\n    type: y\n"),
              Contains(HasSubstr("9 error : the key \"type\" is there twice")));
}

TEST(Lint, ObjectsOfOthersAreCountedOnly) {
  std::istringstream in("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n");
  std::ostringstream out;
  std::ostringstream err;
  LintOptions options;
  options.files = {"-"};
  options.json = true;
  const auto status = run_lint(options, {}, in, out, err);
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
  EXPECT_EQ(Json::parse(out.str())["skipped"], 1);
}

TEST(Lint, ExitStatusIsOneOnErrorsAndWithStrictOnWarnings) {
  const std::string text = workflow("  - name: a\n    task: {type: t}\n    timeout: 5h\n");
  for (const bool strict : {false, true}) {
    std::istringstream in(text);
    std::ostringstream out;
    std::ostringstream err;
    LintOptions options;
    options.files = {"-"};
    options.strict = strict;
    const auto status = run_lint(options, {}, in, out, err);
    ASSERT_TRUE(status);
    EXPECT_EQ(*status, strict ? 1 : 0);
  }
}

TEST(Lint, PathsOfTheOperatorBecomePointers) {
  const Json object =
      Json::parse(R"({"spec": {"steps": [{"name": "a"}, {"name": "b", "task": {"type": "x"}}]}})");
  EXPECT_EQ(pointer_of(object, "spec.steps[b].task.type"), "/spec/steps/1/task/type");
  EXPECT_EQ(pointer_of(object, "spec.steps[0].name"), "/spec/steps/0/name");
  EXPECT_EQ(pointer_of(object, "spec.steps[b].retry.limit"), "/spec/steps/1");
  EXPECT_EQ(pointer_of(object, "nonsense"), "");
  EXPECT_EQ(field_of("/spec/steps/1/task"), "spec.steps[1].task");
}

}  // namespace
}  // namespace convoke::plugin
