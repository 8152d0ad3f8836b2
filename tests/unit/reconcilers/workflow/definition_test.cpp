#include "reconcilers/workflow/definition.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/workflow/definition_cache.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using specs::problem_of;
using specs::spec;
using specs::step;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json task_with(const std::string& text) {
  return {{"task", {{"parameters", {{"x", text}}}}}};
}
Json parameters(std::vector<Json> list) {
  return {{"parameters", std::move(list)}};
}

struct WrongSpec {
  Json spec;
  std::string message;
};

void expect_refused(const std::vector<WrongSpec>& table) {
  for (const auto& row : table) {
    const auto result = specs::check(row.spec);
    ASSERT_FALSE(result) << row.message;
    EXPECT_EQ(result.error().code, ErrorCode::Invalid);
    EXPECT_THAT(result.error().message, HasSubstr(row.message));
  }
}

TEST(Definition, RefusesWrongStepsAndNamesThem) {
  expect_refused({
      {spec({}), "spec.steps: a workflow needs at least one step"},
      {Json::object(), "spec.steps: a workflow needs at least one step"},
      {spec({step("a"), step("a")}), "spec.steps[a].name: there are two steps of this name"},
      {spec({step("Build")}), "spec.steps[Build].name: a step's name has"},
      {spec({step("-a")}), "spec.steps[-a].name"},
      {spec({step("a-")}), "spec.steps[a-].name"},
      {spec({step("")}), "spec.steps[0].name"},
      {spec({step("bücher")}), "spec.steps[bücher].name"},
      {spec({step(std::string(64, 'a'))}), ".name: a step's name has"},
      {spec({step("a", {"b"})}), "spec.steps[a].dependsOn: there is no step \"b\""},
      {spec({{{"name", "a"}}}), "spec.steps[a].task: a step needs a task"},
      {spec({step("a", {}, {{"task", {{"type", nullptr}}}})}),
       "spec.steps[a].task.type: a task needs a type"},
      {spec({step("a", {}, {{"task", {{"type", 7}}}})}), "spec.steps[a].task.type"},
      {spec({step("a", {}, {{"task", {{"priority", "high"}}}})}), "spec.steps[a].task.priority"},
      {spec({step("a", {}, {{"task", {{"suspend", true}}}})}), "spec.steps[a].task.suspend"},
      {spec({step("a", {}, {{"task", {{"locks", {{{"name", "Prod!"}}}}}}})}),
       "spec.steps[a].task.locks: \"Prod!\" cannot be the name of a lock"},
      {spec({step("a", {}, {{"task", {{"notBefore", "tomorrow"}}}})}),
       "spec.steps[a].task.notBefore: expected a time"},
      {spec({step("a"), step("b", {"a"})}, {{"mode", "Parallel"}}),
       "spec.steps[b].dependsOn: mode Parallel starts all steps at once"},
      {spec({step("a")}, {{"mode", "Circular"}}), "spec.mode"},
  });
}

TEST(Definition, KnowsThatAConstantNameCanBeNobodys) {
  const auto agent = [](const std::string& name) {
    return spec({step("a", {}, {{"task", {{"agentName", name}}}})});
  };
  const auto workflow = [](const std::string& name) {
    return spec({specs::bare("a", {{"workflow", {{"name", name}}}})});
  };
  expect_refused({
      {agent("Bad Name"), "spec.steps[a].task.agentName: \"Bad Name\" cannot be the name of an Agent"},
      {agent("-a"), "spec.steps[a].task.agentName"},
      {agent(std::string(64, 'a')), "spec.steps[a].task.agentName"},
      {spec({step("a", {}, {{"compensate", {{"type", "undo"}, {"agentName", "B"}}}})}),
       "spec.steps[a].compensate.agentName"},
      {workflow("Bad Name"), "spec.steps[a].workflow.name: \"Bad Name\" cannot be the name of a Workflow"},
      {workflow("a."), "spec.steps[a].workflow.name"},
  });
  for (const char* name : {"worker-1", "worker.zone-b", "$(run.name)", "w-$(run.name)-1"}) {
    EXPECT_EQ(problem_of(agent(name)), "") << name;
    EXPECT_EQ(problem_of(workflow(name)), "") << name;
  }
  EXPECT_EQ(problem_of(agent("")), "");
}

TEST(Definition, TellsOfBracketsOnlyWhereAStepIsMeant) {
  const auto uses = [](const std::string& text) {
    return spec({step("fetch-all"), step("b", {"fetch-all"}, task_with(text))});
  };
  EXPECT_THAT(problem_of(uses("$(steps.nope.outputs.a - 1)")),
              ::testing::EndsWith("there is no step \"nope\""));
  EXPECT_THAT(problem_of(uses("$(steps.fetch-all.outputs.a)")), HasSubstr("steps['fetch-all']"));
}

TEST(Definition, ShowsACycle) {
  EXPECT_THAT(problem_of(spec({step("a", {"a"})})), HasSubstr("spec.steps[a].dependsOn: cycle"));
  EXPECT_THAT(problem_of(spec({step("a", {"a"})})), HasSubstr("a → a"));
  EXPECT_THAT(problem_of(spec({step("a", {"b"}), step("b", {"a"})})), HasSubstr("a → b → a"));
  EXPECT_THAT(problem_of(spec({step("start"), step("x", {"start", "z"}), step("y", {"x"}), step("z", {"y"}),
                               step("end", {"z"})})),
              HasSubstr("x → z → y → x"));
  EXPECT_THAT(problem_of(spec({step("a", {"b"}), step("b")}, {{"mode", "Sequential"}})),
              HasSubstr("a → b → a"));
}

TEST(Definition, TheNameOfALockMayBeAnExpression) {
  const Json task = {{"locks", {{{"name", "deploy-$(params.p)"}}}},
                     {"notBefore", "$(params.p)"},
                     {"idempotencyKey", "build-$(params.p)"}};
  EXPECT_EQ(problem_of(spec({step("a", {}, {{"task", task}})}, parameters({{{"name", "p"}}}))), "");
}

TEST(Definition, ShowsOnlyTheBeginningOfALongCycle) {
  auto ring = specs::chain(2000);
  ring["steps"][0]["dependsOn"] = {"step-1999"};
  const auto problem = problem_of(ring);
  EXPECT_THAT(problem, HasSubstr("step-0 → step-1999 → step-1998"));
  EXPECT_THAT(problem, HasSubstr("... (2000 steps) → step-0"));
  EXPECT_LT(problem.size(), 400u);
}

TEST(Definition, RefusesWrongParameters) {
  const std::vector<Json> steps = {step("a")};
  expect_refused({
      {spec(steps, parameters({{{"name", "p"}}, {{"name", "p"}}})),
       "spec.parameters[p]: there are two parameters"},
      {spec(steps, parameters({Json::object()})), "every parameter needs a name"},
      {spec(steps, parameters({{{"name", "n"}, {"type", "Number"}, {"default", "3"}}})),
       "spec.parameters[n].default: expected a value of type Number, got a string"},
      {spec(steps, parameters({{{"name", "o"}, {"type", "Object"}, {"default", {1}}}})),
       "type Object, got an array"},
      {spec(steps, parameters({{{"name", "e"}, {"enum", {"dev", "prod"}}, {"default", "test"}}})),
       "spec.parameters[e].default: expected one of \"dev\", \"prod\", which the value given is not"},
      {spec(steps, parameters({{{"name", "e"}, {"enum", {"dev", 1}}}})), "spec.parameters[e].enum: expected"},
  });
}

TEST(Definition, RefusesPlaceholdersThatCanNeverMeanAnything) {
  const auto with = [](const std::string& text) { return spec({step("a", {}, task_with(text)), step("b")}); };
  expect_refused({
      {with("$("), "spec.steps[a].task.parameters.x: at byte 2"},
      {with("$(params.version)"), "$(params.version): there is no parameter \"version\""},
      {with("$(param.version)"), "there is no name \"param\" here; there are params, steps, run, workflow"},
      {with("$(steps.c.outputs.x)"), "there is no step \"c\""},
      {with("$(steps)"), "name the step"},
      {with("$(steps[params.x].phase)"), "name the step"},
      {spec({step("unit-test"), step("a", {"unit-test"}, task_with("$(steps.unit-test.phase)"))}),
       "there is no step \"unit\"; a name with \"-\" stands in brackets: steps['unit-test']"},
      {with("$(run.name == 'a' ? params.gone : 'b')"), "there is no parameter \"gone\""},
      {with("$(run.nme.size())"), "a run has name, namespace, uid, phase, reason and message"},
      {with("$(steps.b.output)"), "a step has phase and outputs"},
      {with("$(steps.b.outputs.x)"),
       "uses step \"b\", which need not be done before it: add \"b\" to dependsOn"},
      {with("$(steps.a.outputs.x)"), "a step cannot use its own outputs"},
      {with("$(run.id)"), "a run has name, namespace, uid, phase, reason and message"},
      {with("$(workflow.uid)"), "a workflow has name"},
      {with("$(item)"), "there is no name \"item\""},
      {spec({step("a"), step("b", {}, task_with("$(steps.a.phase)"))}, {{"mode", "Parallel"}}),
       "use mode Graph"},
      {spec({step("a", {}, task_with("$(steps.b.phase)")), step("b")}, {{"mode", "Sequential"}}),
       "runs it later"},
      {spec({step("a")}, {{"outputs", {{{"name", "o"}, {"value", "$(steps.x.outputs)"}}}}}),
       "spec.outputs[o].value: $(steps.x.outputs): there is no step \"x\""},
      {spec({step("a")}, {{"outputs", {{{"name", "o"}, {"value", 1}}, {{"name", "o"}, {"value", 2}}}}}),
       "there are two outputs of this name"},
      {spec({step("a")}, {{"outputs", {{{"name", "o"}}}}}), "an output needs a value"},
  });
}

TEST(Definition, OrdersStepsBehindTheirDependencies) {
  const auto definition =
      specs::check(spec({step("d", {"b", "c"}), step("c", {"a"}), step("b", {"a"}), step("a")}));
  ASSERT_TRUE(definition);
  EXPECT_THAT((*definition)->order, ElementsAre(3, 1, 2, 0));
  EXPECT_THAT((*definition)->dependencies[0], ElementsAre(1, 2));
  EXPECT_EQ((*definition)->find("b"), 2u);
  EXPECT_EQ((*definition)->find("x"), std::nullopt);
}

TEST(Definition, SequentialStepsFormAChain) {
  const auto definition = specs::check(spec(
      {step("c"), step("a"), step("b", {}, task_with("$(steps.c.outputs.x)"))}, {{"mode", "Sequential"}}));
  ASSERT_TRUE(definition) << definition.error().message;
  EXPECT_THAT((*definition)->order, ElementsAre(0, 1, 2));
  EXPECT_THAT((*definition)->dependencies[2], ElementsAre(1));
  EXPECT_THAT((*definition)->used_steps[2], ElementsAre(0));
}

TEST(Definition, AcceptsEveryKindOfPlaceholder) {
  EXPECT_EQ(problem_of(spec(
                {step("a"), step("b-1", {"a"}),
                 step("c", {"b-1"},
                      task_with("$(params.v) $(steps.a.outputs.x.y[0]) $(steps['b-1'].phase) $(run.name) "
                                "$(run.namespace) $(run.uid) $(workflow.name) $$(date)"))},
                {{"parameters", {{{"name", "v"}}}},
                 {"outputs", {{{"name", "o"}, {"value", {{"x", "$(steps.a.outputs)"}}}}}}})),
            "");
}

TEST(Definition, ChecksAChainOfThousandsWithoutRecursion) {
  auto chain = specs::chain(2000);
  chain["steps"][1999]["task"]["parameters"] = {{"first", "$(steps['step-0'].outputs.x)"}};
  const auto definition = specs::check(chain);
  ASSERT_TRUE(definition) << definition.error().message;
  EXPECT_EQ((*definition)->order.back(), 1999u);
  EXPECT_THAT(problem_of(specs::chain(static_cast<int>(kMaxSteps) + 1)),
              HasSubstr("at most 2000 steps, got 2001"));
}

TEST(Definition, SaysWhereTextIsNoSpec) {
  EXPECT_FALSE(parse_definition("{", "spec.workflowSpec"));
  const auto wrong = parse_definition(R"({"steps": "all"})", "spec.workflowSpec");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("spec.workflowSpec.steps"));
}

TEST(DefinitionCache, KeepsTheMostRecentlyUsed) {
  DefinitionCache cache(2);
  const auto text = dump_json(spec({step("a")}));
  const auto a = cache.get_or_parse("a", text, "spec");
  ASSERT_TRUE(a);
  ASSERT_TRUE(cache.get_or_parse("b", text, "spec"));
  EXPECT_EQ(*cache.get_or_parse("a", "not even read", "spec"), *a);
  ASSERT_TRUE(cache.get_or_parse("c", text, "spec"));
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_EQ(cache.find("a"), *a);
  EXPECT_EQ(cache.size(), 2u);
}

TEST(DefinitionCache, BoundsTheTextItStandsFor) {
  const auto text = dump_json(spec({step("a")}));
  DefinitionCache cache(100, text.size() * 3);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(cache.get_or_parse(std::to_string(i), text, "spec"));
  }
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_FALSE(cache.get_or_parse("broken", "{", "spec"));
  EXPECT_EQ(cache.size(), 3u);
}

}  // namespace
}  // namespace convoke::workflow
