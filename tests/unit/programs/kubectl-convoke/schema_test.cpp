#include "programs/kubectl-convoke/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/yaml_document.h"
#include "reconcilers/expression/cel/cel.h"

namespace convoke::plugin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> spec_problems(const std::string& kind, const std::string& spec) {
  const Json object = {{"apiVersion", "convoke.dev/v1alpha1"},
                       {"kind", kind},
                       {"metadata", {{"name", "x"}}},
                       {"spec", Json::parse(spec)}};
  std::vector<std::string> lines;
  for (const auto& finding : Schemas::built_in().check(kind, object))
    lines.push_back(finding.pointer + " " + finding.message);
  return lines;
}

void compile_rules(const Json& schema, int& count) {
  for (const auto& rule : objects_at(schema, "/x-kubernetes-validations")) {
    const auto source = text_at(rule, "/rule");
    const auto program = cel::Program::compile(source);
    EXPECT_TRUE(program) << source << ": " << program.error().message;
    ++count;
  }
  for (const auto& part : schema) {
    if (part.is_structured()) compile_rules(part, count);
  }
}

TEST(Schema, TheCrdsAreBuiltIn) {
  EXPECT_THAT(Schemas::built_in().kinds(), ElementsAre("Agent", "Task", "Workflow", "WorkflowRun"));
}

TEST(Schema, EveryRuleOfTheCrdsCompiles) {
  int count = 0;
  for (const auto& text : embedded_crds()) {
    const auto documents = parse_yaml(text, "crd");
    ASSERT_TRUE(documents) << documents.error().message;
    compile_rules(documents->front().value, count);
  }
  EXPECT_GT(count, 30);
}

TEST(Schema, DefaultsCountBeforeRules) {
  EXPECT_THAT(spec_problems("Agent", R"({"capabilities": ["x"], "dispatch": {"mode": "Pull"}})"), IsEmpty());
}

TEST(Schema, BoundsEnumsAndPatternsAreChecked) {
  EXPECT_THAT(spec_problems("Task", R"({"type": "t", "priority": 9})"),
              ElementsAre(HasSubstr("/spec/priority")));
  EXPECT_THAT(spec_problems("Task", R"({"type": "t", "delivery": "AtMostOnec"})"),
              ElementsAre(HasSubstr("did you mean AtMostOnce?")));
  EXPECT_THAT(spec_problems("Task", R"({"type": "t", "timeout": "soon"})"),
              ElementsAre("/spec/timeout \"soon\" is not a duration such as \"90s\", \"5m\" or \"1h30m\""));
  EXPECT_THAT(spec_problems("Workflow", R"({"steps": []})"),
              ElementsAre("/spec/steps needs at least 1 item"));
  EXPECT_THAT(spec_problems("Task", R"({})"), ElementsAre(HasSubstr("\"type\" is missing")));
}

TEST(Schema, KeysOfAListMapAreUnique) {
  EXPECT_THAT(spec_problems("Task", R"({"type": "t", "locks": [{"name": "a"}, {"name": "a"}]})"),
              ElementsAre(HasSubstr("/spec/locks/1 is there twice: name \"a\"")));
}

TEST(Schema, NullIsAsGoodAsAbsentWhereNoneIsAllowed) {
  EXPECT_THAT(
      spec_problems("Task", R"({"type": "t", "title": null, "priority": null, "retry": {"limit": null},
                                   "requires": {"agentSelector": {"matchLabels": {"a": null, "b": "c"}}}})"),
      IsEmpty());
  EXPECT_THAT(spec_problems("Task", R"({"type": null})"), ElementsAre(HasSubstr("\"type\" is missing")));
  EXPECT_THAT(spec_problems("Task", R"({"type": "t", "requires": {"capabilities": [null]}})"),
              ElementsAre(HasSubstr("/spec/requires/capabilities/0")));
}

TEST(Schema, FreeFormPartsTakeAnything) {
  EXPECT_THAT(spec_problems("Task", R"({"type": "t", "parameters": {"any": {"thing": [1, null]}}})"),
              IsEmpty());
}

TEST(Schema, WhatTheOperatorWritesIsNotLookedAt) {
  const Json object = {{"metadata", {{"name", "x"}}}, {"spec", {{"type", "t"}}}, {"status", {{"phase", 7}}}};
  EXPECT_THAT(Schemas::built_in().check("Task", object), IsEmpty());
}

}  // namespace
}  // namespace convoke::plugin
