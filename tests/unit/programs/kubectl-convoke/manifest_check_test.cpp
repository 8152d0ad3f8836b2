#include "programs/kubectl-convoke/manifest_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/programs/kubectl-convoke/lint_texts.h"

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using texts::lint;
using texts::object;
using texts::workflow;

TEST(ManifestCheck, AnUnknownFieldHasItsLineAndTheNameThatWasMeant) {
  EXPECT_THAT(
      lint(workflow("  - name: a\n    task: {type: shell}\n    dependOn: [b]\n")),
      ElementsAre("9 error spec.steps[a].dependOn: unknown field \"dependOn\"; did you mean \"dependsOn\"?"));
}

TEST(ManifestCheck, TheOperatorsOwnCheckFindsACycle) {
  EXPECT_THAT(
      lint(workflow("  - {name: a, task: {type: t}, dependsOn: [b]}\n"
                    "  - {name: b, task: {type: t}, dependsOn: [a]}\n")),
      ElementsAre(AllOf(HasSubstr("7 error spec.steps[a].dependsOn: cycle"), HasSubstr("a → b → a"))));
}

TEST(ManifestCheck, AnExpressionThatNamesNoStepIsFoundAtItsStep) {
  EXPECT_THAT(lint(workflow("  - name: a\n    task: {type: t, parameters: {x: \"$(steps.b.outputs.y)\"}}\n")),
              ElementsAre(HasSubstr("8 error spec.steps[a].task")));
}

TEST(ManifestCheck, AWrongTypeIsSaidOnceAndWithARemedy) {
  EXPECT_THAT(
      lint(workflow("  - name: yes\n    task: {type: t}\n")),
      ElementsAre("7 error spec.steps[0].name: must be of type string, not boolean: put it in quotes"));
}

TEST(ManifestCheck, ARuleOfTheSchemaSaysItsMessage) {
  EXPECT_THAT(lint("apiVersion: convoke.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {name: r}\nspec: {}\n"),
              Contains(HasSubstr("exactly one of workflowName and workflowSpec")));
}

TEST(ManifestCheck, AKindThatDoesNotExistIsNamedWithTheOneThatDoes) {
  EXPECT_THAT(lint("apiVersion: convoke.dev/v1alpha1\nkind: Workflw\nmetadata: {name: r}\n"),
              ElementsAre(AllOf(HasSubstr("2 error kind"), HasSubstr("did you mean Workflow?"))));
}

TEST(ManifestCheck, ARunIsCheckedAgainstTheParametersOfAWorkflowBesideIt) {
  EXPECT_THAT(lint(workflow("  - {name: a, task: {type: t}}\n") +
                   "---\napiVersion: convoke.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {name: r}\n"
                   "spec:\n  workflowName: build\n  parameters:\n    speed: 3\n"),
              ElementsAre("15 error spec.parameters.speed: the workflow has no such parameter"));
}

TEST(ManifestCheck, ATaskTypeThatNoAgentBesideItCanDoIsAWarning) {
  EXPECT_THAT(
      lint("apiVersion: convoke.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\n"
           "spec: {type: builder, capabilities: [compile]}\n---\n"
           "apiVersion: convoke.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec: {type: compil}\n"),
      ElementsAre(AllOf(HasSubstr("warning spec.type"), HasSubstr("did you mean \"compile\""))));
}

TEST(ManifestCheck, AStepThatOutlivesItsRunIsAWarning) {
  EXPECT_THAT(lint(workflow("  - name: a\n    task: {type: t}\n    timeout: 5h\n")),
              ElementsAre(AllOf(HasSubstr("9 warning spec.steps[a].timeout"), HasSubstr("1h"))));
}

TEST(ManifestCheck, AnAgentWithoutATypeIsAWarning) {
  EXPECT_THAT(
      lint("apiVersion: convoke.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\nspec: {capabilities: [x]}\n"),
      ElementsAre(HasSubstr("warning spec: the agent has no type")));
}

TEST(ManifestCheck, TwoObjectsOfOneNameAreAnError) {
  const std::string task =
      "apiVersion: convoke.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec: {type: x}\n";
  EXPECT_THAT(lint(task + "---\n" + task),
              ElementsAre(HasSubstr("there is another Task of this name in -:3")));
}

TEST(ManifestCheck, TwoObjectsOfOneNameInTwoFilesAreAWarning) {
  const std::string task = object("Task", "{name: t}", "{type: x}");
  const auto report =
      check_manifests({{"a.yaml", read_yaml(task).documents[0]}, {"b.yaml", read_yaml(task).documents[0]}});
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].file, "b.yaml");
  EXPECT_EQ(texts::told(report.findings[0]),
            "1 warning metadata.name: there is another Task of this name in a.yaml:1");
}

TEST(ManifestCheck, OfTwoWorkflowsOfOneNameTheRunIsThatOfItsOwnFile) {
  const auto in_file = [](const std::string& file, const std::string& kind, const std::string& spec) {
    return Manifest{file, read_yaml(object(kind, "{name: w}", spec)).documents[0]};
  };
  const std::string rest = "triggers: [], steps: [{name: a, task: {type: t, parameters: {p: $(params.x)}}}]}";
  const auto a = in_file("a.yaml", "Workflow", "{parameters: [{name: x}], " + rest);
  const auto b = in_file("b.yaml", "Workflow", "{parameters: [{name: x, type: Number}], " + rest);
  const auto errors = [&](const std::string& file) {
    const auto run = in_file(file, "WorkflowRun", "{workflowName: w, parameters: {x: text}}");
    return check_manifests({a, b, run}).has_errors();
  };
  EXPECT_FALSE(errors("a.yaml"));
  EXPECT_TRUE(errors("b.yaml"));
  EXPECT_FALSE(errors("c.yaml"));  // which of the two it is, is not known
}

TEST(ManifestCheck, ARunWithApprovalsSaysWhoCreatesIt) {
  const auto flow = object("Workflow", "{name: w}", "{triggers: [], steps: [{name: ask, approval: {}}]}");
  const auto run_with = [&](const std::string& spec) {
    return lint(flow + "---\n" + object("WorkflowRun", "{name: r}", "{workflowName: w" + spec + "}"));
  };
  EXPECT_THAT(run_with(""), ElementsAre(HasSubstr("3 error spec.createdBy: the workflow has approvals")));
  EXPECT_THAT(run_with(", createdBy: ann"), IsEmpty());
  EXPECT_THAT(run_with(", revision: w-1"), IsEmpty());
  EXPECT_THAT(
      lint(object("WorkflowRun", "{name: r}", "{workflowSpec: {steps: [{name: ask, approval: {}}]}}")),
      ElementsAre(HasSubstr("spec.createdBy")));
}

TEST(ManifestCheck, NullIsAsGoodAsAbsentForTheOperatorToo) {
  EXPECT_THAT(
      lint(workflow("  - {name: a, task: {type: t, title: null}, approval: null, dependsOn: null}\n"
                    "  - {name: b, when: null, task: {type: t}, forEach: ~, retry: null, timeout:}\n")),
      IsEmpty());
}

TEST(ManifestCheck, WhatIsSentAsAnIntegerIsOne) {
  EXPECT_THAT(lint(object("Task", "{name: t}", "{type: x, priority: 3.0, title: null}")), IsEmpty());
  EXPECT_THAT(lint(object("Task", "{name: t}", "{type: x, priority: 3.5}")),
              ElementsAre(HasSubstr("must be of type integer, not number")));
}

// Each is looked up by its name, and in what all Agents of its namespace can do: were each compared with all,
// there would be millions of comparisons.
TEST(ManifestCheck, ManyObjectsAreEachStillFound) {
  constexpr int kMany = 3'000;
  const Manifest task{"f", read_yaml(object("Task", "{name: t}", "{type: lost}")).documents[0]};
  const Manifest agent{"f",
                       read_yaml(object("Agent", "{name: a}", "{type: x, capabilities: [x]}")).documents[0]};
  std::vector<Manifest> manifests(kMany, agent);
  for (int i = 0; i < kMany; ++i) {
    manifests[i].document.value["metadata"]["name"] = "a" + std::to_string(i);
    manifests[i].document.value["spec"]["capabilities"] = {"x" + std::to_string(i)};
  }
  manifests.push_back(task);
  manifests.push_back(task);
  const auto report = check_manifests(manifests);
  std::vector<std::string> lines;
  for (const auto& finding : report.findings) lines.push_back(texts::told(finding));
  EXPECT_THAT(lines, ElementsAre(HasSubstr("warning spec.type: no Agent of these files"),
                                 HasSubstr("error metadata.name: there is another Task")));
}

TEST(ManifestCheck, ItemsOfAListAndKeysThatStandTwiceAreSeen) {
  EXPECT_THAT(lint("apiVersion: v1\nkind: List\nitems:\n- apiVersion: convoke.dev/v1alpha1\n  kind: Task\n"
                   "  metadata: {name: t}\n  spec:\n    type: x\n    type: y\n"),
              Contains(HasSubstr("9 error : the key \"type\" is there twice")));
}

TEST(ManifestCheck, TheTriggersOfAWorkflowAreChecked) {
  const auto triggers = [](const std::string& list) {
    return lint(
        object("Workflow", "{name: w}", "{steps: [{name: a, task: {type: t}}], triggers: " + list + "}"));
  };
  EXPECT_THAT(triggers("[{type: Schedule, name: one, schedule: {cron: '61 * * * *'}}]"),
              ElementsAre(HasSubstr("error spec.triggers[one].schedule.cron: minute: expected 0 to 59")));
  EXPECT_THAT(triggers("[{type: Schedule, name: one, schedule: {cron: '@daily', timeZone: Europe/Berln}}]"),
              ElementsAre(HasSubstr("spec.triggers[one].schedule.timeZone")));
  EXPECT_THAT(triggers("[{type: Event, name: e, event: {type: t, filter: 'evnt.data.x == 1'}}]"),
              ElementsAre(HasSubstr("spec.triggers[e].event.filter: there is no name \"evnt\"")));
  EXPECT_THAT(triggers("[{type: Event, name: e, event: {type: t, parameters: {nope: 1}}}]"),
              ElementsAre(HasSubstr("spec.triggers[e].event.parameters.nope")));
  EXPECT_THAT(triggers("[{type: Create}, {type: Create}]"), ElementsAre(HasSubstr("there are two triggers")));
}

TEST(ManifestCheck, AConstantRuleOfAStepIsCompiled) {
  EXPECT_THAT(lint(workflow("  - name: h\n    task:\n      type: t\n      requires:\n"
                            "        rule: agent.spec.capacity >\n")),
              ElementsAre(HasSubstr("11 error spec.steps[h].task.requires.rule: line 1, column")));
  EXPECT_THAT(
      lint(workflow(
          "  - {name: h, task: {type: t}, compensate: {type: u, requires: {rule: agent.foo == 1}}}\n")),
      ElementsAre(HasSubstr("spec.steps[h].compensate.requires.rule")));
  EXPECT_THAT(
      lint(workflow("  - {name: h, task: {type: t, requires: {rule: 'agent.foo == $(run.name)'}}}\n")),
      IsEmpty());
}

TEST(ManifestCheck, ErrorsOfTwoObjectsInOneLineAreBothTold) {
  const std::string item =
      R"({"apiVersion":"convoke.dev/v1alpha1","kind":"Workflow","metadata":{"name":"NAME"},)"
      R"("spec":{"steps":[{"name":"a","dependsOn":["q"],"task":{"type":"t"}}]}})";
  auto other = item;
  other.replace(other.find("NAME"), 4, "b");
  EXPECT_THAT(lint(R"({"apiVersion":"v1","kind":"List","items":[)" +
                   std::string(item).replace(item.find("NAME"), 4, "a") + "," + other + "]}"),
              AllOf(SizeIs(2), Each(HasSubstr("1 error spec.steps[a].dependsOn: there is no step \"q\""))));
}

TEST(ManifestCheck, WhatTheSchemaHasFoundDoesNotHideTheRestOfTheDefinition) {
  EXPECT_THAT(lint(workflow("  - {name: a, timeout: 1d, task: {type: t}}\n"
                            "  - {name: b, dependsOn: [c], task: {type: t}}\n")),
              ElementsAre(HasSubstr("7 error spec.steps[a].timeout: \"1d\" is not a duration"),
                          HasSubstr("8 error spec.steps[b].dependsOn: there is no step \"c\"")));
  // But with a dependency that could not be read, the rest would be told wrongly.
  EXPECT_THAT(lint(workflow("  - {name: a, task: {type: t}}\n"
                            "  - {name: b, dependsOn: a, task: {type: '$(steps.a.outputs.x)'}}\n")),
              ElementsAre("8 error spec.steps[b].dependsOn: must be of type array, not string"));
}

TEST(ManifestCheck, OneMistakeIsToldOnce) {
  EXPECT_THAT(lint(object("Agent", "{}", "{type: x, capabilities: [x]}")),
              ElementsAre("1 error metadata: metadata.name is missing"));
  EXPECT_THAT(
      lint(object("Task", "{name: t}", "{type: x, timeout: 1d}")),
      ElementsAre(
          R"(1 error spec.timeout: "1d" is not a duration such as "90s", "5m" or "1h30m" (a day is 24h))"));
  EXPECT_THAT(lint(object("Task", "{name: t}", "{type: x, timeout: -5m}")), SizeIs(1));
  EXPECT_THAT(lint(object("Task", "{name: t}", "{type: x, priority: 99999999999}")),
              ElementsAre("1 error spec.priority: must be at most 5"));
  EXPECT_THAT(
      lint(object("Task", "{name: t}", "{type: x, locks: [{name: l}, {name: l, mode: None}]}")),
      ElementsAre(HasSubstr("spec.locks[1]: is there twice"), HasSubstr("spec.locks[1].mode: \"None\"")));
  EXPECT_THAT(lint(workflow("  - {name: a, task: {type: t}}\n  - {name: a, task: {type: t}}\n")),
              ElementsAre("8 error spec.steps[1]: is there twice: name \"a\""));
  EXPECT_THAT(lint(workflow("  - {name: '', task: {type: t}}\n")), SizeIs(1));
}

TEST(ManifestCheck, AFieldOfTheStepThatStandsInItsTaskIsTold) {
  EXPECT_THAT(
      lint(workflow("  - {name: a, task: {type: t, timeOut: 5m, retry: {limit: 1}}}\n")),
      ElementsAre("7 error spec.steps[a].task.retry: unknown field \"retry\"; \"retry\" belongs to the "
                  "step, beside task",
                  "7 error spec.steps[a].task.timeOut: unknown field \"timeOut\"; \"timeout\" belongs to "
                  "the step, beside task"));
}

TEST(ManifestCheck, AGroupThatIsNearlyOursIsAMistakeAndAnotherIsNot) {
  for (const char* version : {"convok.dev/v1alpha1", "v1alpha1", "v1", "convoke.dev", "convoke/v1alpha1"}) {
    EXPECT_THAT(
        lint("{apiVersion: " + std::string(version) + ", kind: Workflow, metadata: {name: w}}"),
        ElementsAre(AllOf(HasSubstr("error apiVersion"), HasSubstr("did you mean convoke.dev/v1alpha1?"))))
        << version;
  }
  for (const char* other : {"argoproj.io/v1alpha1, kind: Workflow", "v1, kind: ConfigMap",
                            "apps/v1, kind: Deployment", "tekton.dev/v1beta1, kind: Task"}) {
    EXPECT_THAT(lint("{apiVersion: " + std::string(other) + ", metadata: {name: w}}"), IsEmpty()) << other;
  }
}

TEST(ManifestCheck, ARunBelongsToTheWorkflowOfItsOwnNamespace) {
  const auto workflow_in = [](const std::string& its_namespace) {
    return object("Workflow", "{name: w, namespace: " + its_namespace + "}",
                  "{parameters: [{name: num, type: Number}], triggers: [], steps: [{name: a, task: {type: t, "
                  "parameters: {x: $(params.num)}}}]}");
  };
  const auto run = object("WorkflowRun", "{name: r, namespace: b}", "{workflowName: w, parameters: {zz: 1}}");
  EXPECT_THAT(lint(workflow_in("a") + "---\n" + run), IsEmpty());
  EXPECT_THAT(lint(workflow_in("a") + "---\n" + workflow_in("b") + "---\n" + run),
              ElementsAre("5 error spec.parameters.zz: the workflow has no such parameter"));
}

TEST(ManifestCheck, EachWrongParameterOfARunIsAFindingOfItsOwn) {
  EXPECT_THAT(
      lint(object("Workflow", "{name: w}",
                  "{parameters: [{name: num, type: Number}], triggers: [], steps: [{name: a, task: {type: "
                  "t, parameters: {x: $(params.num)}}}]}") +
           "---\n" + object("WorkflowRun", "{name: r}", "{workflowName: w, parameters: {num: x, zz: 1}}")),
      AllOf(SizeIs(2), Contains(HasSubstr("error spec.parameters.num: expected a value of type Number")),
            Contains(HasSubstr("error spec.parameters.zz: the workflow"))));
}

}  // namespace
}  // namespace convoke::plugin
