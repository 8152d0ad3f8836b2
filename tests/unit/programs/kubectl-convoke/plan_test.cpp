#include "programs/kubectl-convoke/plan.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Agents = std::optional<std::vector<api::Agent>>;

Result<Plan> make_plan(const std::string& name, const std::string& its_namespace, const Json& spec,
                       const Json& given, const Agents& agents) {
  return plugin::make_plan({name, spec, given}, {its_namespace, agents});
}

std::string text_of(const Plan& plan) {
  std::string text;
  for (const auto& line : plan_lines(plan, {})) text += line + "\n";
  return text;
}

api::Agent worker(const std::string& name, const std::string& capability, double per_minute = 0,
                  Duration mean = {}) {
  api::Agent agent;
  agent.meta.name = name;
  agent.meta.namespace_ = "default";
  agent.spec.type = "worker";
  agent.spec.capabilities = {capability};
  agent.spec.cost.per_minute = per_minute;
  agent.status.phase = api::AgentPhase::Ready;
  if (mean > Duration::zero()) {
    api::TaskTypeStatistics statistics;
    statistics.type = capability;
    statistics.mean_duration = mean;
    agent.status.statistics = {statistics};
  }
  return agent;
}

Json step(const std::string& name, const std::string& type, const std::vector<std::string>& depends_on = {}) {
  Json json = {{"name", name}, {"task", {{"type", type}}}};
  if (!depends_on.empty()) json["dependsOn"] = depends_on;
  return json;
}

const Json kDiamond = {{"steps",
                        {step("top", "fast"), step("left", "slow", {"top"}), step("right", "fast", {"top"}),
                         step("bottom", "fast", {"left", "right"})}}};

TEST(Plan, StepsComeInLayersWithWhatTheyCostAndTheWayThatIsLongest) {
  const std::vector<api::Agent> agents = {worker("a", "fast", 1, 1min), worker("b", "slow", 0.5, 10min)};
  const auto plan = make_plan("d", "default", kDiamond, {}, agents);
  ASSERT_TRUE(plan) << plan.error().message;
  std::vector<std::string> critical;
  for (const auto& one : plan->steps) {
    if (one.is_critical) critical.push_back(one.step.name);
  }
  EXPECT_THAT(critical, ElementsAre("top", "left", "bottom"));
  EXPECT_EQ(plan->duration, 12min);
  EXPECT_DOUBLE_EQ(plan->cost, 1 + 5 + 1 + 1);
  EXPECT_TRUE(plan->is_complete);
  EXPECT_FALSE(plan->any_assumed);
  EXPECT_EQ(plan->steps.back().layer, 2U);
}

TEST(Plan, SaysOfEachAgentWhyItDoesNotQualify) {
  auto cordoned = worker("c", "fast");
  cordoned.spec.cordoned = true;
  const auto plan = make_plan("d", "default", {{"steps", {step("top", "fast")}}}, {},
                              std::vector<api::Agent>{worker("b", "slow"), cordoned});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->without_agents, 1);
  const auto& objections = plan->steps[0].agents->objections;
  ASSERT_EQ(objections.size(), 2U);
  EXPECT_EQ(objections[0].reason, "lacks capability fast");
  EXPECT_EQ(objections[1].reason, "is cordoned");
  EXPECT_FALSE(plan->is_complete);
}

TEST(Plan, ATypeThatAParameterGivesIsKnown) {
  const Json spec = {{"parameters", {{{"name", "kind"}, {"default", "fast"}}}},
                     {"steps", {step("a", "$(params.kind)")}}};
  const auto plan = make_plan("d", "default", spec, {}, std::vector<api::Agent>{worker("x", "fast")});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->steps[0].task_type, "fast");
  EXPECT_EQ(plan->steps[0].agents->candidates.size(), 1U);
}

TEST(Plan, ATypeThatAnEarlierStepGivesIsKnownLater) {
  const Json spec = {{"steps", {step("a", "fast"), step("b", "$(steps.a.outputs.kind)", {"a"})}}};
  const auto plan = make_plan("d", "default", spec, {}, std::vector<api::Agent>{worker("x", "fast")});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->steps[1].not_known, HasSubstr("$(steps.a.outputs.kind)"));
  EXPECT_FALSE(plan->is_complete);
}

TEST(Plan, ARefusedDefinitionOrParameterIsAnError) {
  EXPECT_FALSE(make_plan("d", "default", {{"steps", {step("a", "t", {"nobody"})}}}, {}, std::nullopt));
  const auto plan = make_plan("d", "default", kDiamond, {{"speed", 1}}, std::nullopt);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("no such parameter"));
}

TEST(Plan, AFanOutCostsAllOfItsItemsAndTakesItsRounds) {
  Json each = step("a", "$(module.kind)");
  each["forEach"] = {{"items", "$(params.modules)"}, {"as", "module"}, {"parallelism", 2}};
  const Json spec = {{"parameters", {{{"name", "modules"}, {"type", "Array"}, {"required", true}}}},
                     {"steps", {each}}};
  const Json given = {{"modules", {{{"kind", "fast"}}, {{"kind", "fast"}}, {{"kind", "fast"}}}}};
  const auto plan =
      make_plan("d", "default", spec, given, std::vector<api::Agent>{worker("x", "fast", 1, 1min)});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->steps[0].items, 3);
  EXPECT_EQ(plan->duration, 2min);
  EXPECT_DOUBLE_EQ(plan->cost, 3);
}

TEST(Plan, AFanOutHasAtMostTheParallelismOfTheRun) {
  const auto duration_with = [](Json for_each, Json parallelism = Json()) {
    Json each = step("a", "fast");
    for_each["range"] = {{"from", 1}, {"to", 30}};
    each["forEach"] = std::move(for_each);
    Json spec = {{"steps", {each}}};
    if (!parallelism.is_null()) spec["parallelism"] = std::move(parallelism);
    const auto plan =
        make_plan("d", "default", spec, {}, std::vector<api::Agent>{worker("x", "fast", 1, 1min)});
    EXPECT_TRUE(plan) << plan.error().message;
    return plan ? plan->duration : Duration();
  };
  EXPECT_EQ(duration_with(Json::object()), 3min);
  EXPECT_EQ(duration_with({{"parallelism", 50}}), 3min);
  EXPECT_EQ(duration_with({{"parallelism", 5}}), 6min);
  EXPECT_EQ(duration_with({{"parallelism", 50}}, 15), 2min);
}

TEST(Plan, StatesComeAfterThoseThatLeadToThem) {
  Json first = step("first", "fast");
  Json second = step("second", "fast");
  first["transitions"] = {{{"to", "second"}}};
  second["transitions"] = {{{"when", "false"}, {"to", "first"}}, {{"to", "third"}}};
  const Json spec = {{"mode", "StateMachine"}, {"steps", {first, second, step("third", "fast")}}};
  const auto plan =
      make_plan("d", "default", spec, {}, std::vector<api::Agent>{worker("x", "fast", 1, 1min)});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->duration, 3min);
  EXPECT_TRUE(std::all_of(plan->steps.begin(), plan->steps.end(),
                          [](const StepPlan& one) { return one.is_critical; }));
  EXPECT_FALSE(plan->is_complete);
  EXPECT_THAT(text_of(*plan), HasSubstr("Expected: at least 3m"));
}

TEST(Plan, AStepThatRepeatsTakesAtLeastOneTurn) {
  Json again = step("a", "fast");
  again["repeat"] = {{"until", "false"}, {"maxIterations", 3}};
  const auto plan = make_plan("d", "default", {{"steps", {again}}}, {},
                              std::vector<api::Agent>{worker("x", "fast", 1, 1min)});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_FALSE(plan->is_complete);
  EXPECT_EQ(plan->duration, 1min);
}

TEST(Plan, WithoutAClusterThereIsTheGraphAlone) {
  const auto plan = make_plan("d", "default", kDiamond, {}, std::nullopt);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->offline);
  const auto json = plan_json(*plan);
  EXPECT_FALSE(json.contains("expectedCost"));
  EXPECT_EQ(json["steps"].size(), 4U);
  EXPECT_THAT(plan_lines(*plan, {})[0], HasSubstr("LAYER  STEP"));
}

TEST(Plan, AFullAgentIsBusyAndAnotherNamespaceIsNotAsked) {
  auto full = worker("f", "fast");
  full.spec.capacity = 1;
  full.status.active_tasks = 1;
  auto other = worker("o", "fast");
  other.meta.namespace_ = "elsewhere";
  const auto plan =
      make_plan("d", "default", {{"steps", {step("top", "fast")}}}, {}, std::vector<api::Agent>{full, other});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->steps[0].agents->objections.size(), 1U);
  EXPECT_TRUE(plan->steps[0].agents->objections[0].is_busy);
}

TEST(Plan, WrongParametersAreAnErrorAndMissingOnesAreNot) {
  Json each = step("a", "fast");
  each["forEach"] = {{"items", "$(params.modules)"}};
  const Json spec = {{"parameters",
                      {{{"name", "modules"}, {"type", "Array"}, {"required", true}},
                       {{"name", "kind"}, {"required", true}},
                       {{"name", "who"}}}},
                     {"steps", {each, step("b", "$(params.kind)")}}};
  EXPECT_FALSE(make_plan("d", "default", spec, {{"modules", "all"}}, std::nullopt));
  for (const Agents& agents : {Agents(), Agents({worker("x", "fast")})}) {
    const auto plan = make_plan("d", "default", spec, {}, agents);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_THAT(text_of(*plan), HasSubstr("Missing: modules (Array), kind (String). Give them with -p "
                                          "modules=... -p kind=...; what hangs on them is not known."));
    EXPECT_FALSE(plan->steps[0].items_known);
    EXPECT_EQ(plan_json(*plan)["missingParameters"][1], Json({{"name", "kind"}, {"type", "String"}}));
  }
  EXPECT_TRUE(make_plan("d", "default", spec, {{"modules", {1}}, {"kind", "k"}}, {})->missing.empty());
}

TEST(Plan, RulesOfTheConfigurationAreMentionedWhereQualificationIsShown) {
  constexpr char kLine[] = "Rules of the operator's configuration (assignment.rules) are not looked at.";
  EXPECT_THAT(text_of(*make_plan("d", "default", kDiamond, {}, std::nullopt)), Not(HasSubstr(kLine)));
  const Json waits = {{"steps", {{{"name", "w"}, {"wait", {{"duration", "1m"}}}}}}};
  EXPECT_THAT(text_of(*make_plan("d", "default", waits, {}, Agents(std::in_place))), Not(HasSubstr(kLine)));
  EXPECT_THAT(text_of(*make_plan("d", "default", kDiamond, {}, Agents(std::in_place))), HasSubstr(kLine));
}

class PlanOfSeveral : public ::testing::Test {
 protected:
  static Json runs(const std::string& name, const std::string& workflow, Json parameters = Json::object()) {
    return {{"name", name}, {"workflow", {{"name", workflow}, {"parameters", std::move(parameters)}}}};
  }
  Result<Plan> plan(const std::string& name, const Json& given = {}, bool is_inline = false) {
    const FindWorkflow find = [this](const std::string& one) -> Result<std::optional<Json>> {
      if (one == "forbidden") return Error{ErrorCode::Forbidden, "you may not"};
      const auto found = workflows_.find(one);
      return found == workflows_.end() ? std::nullopt : std::optional(found->second);
    };
    return plugin::make_plan({name, workflows_[name], given, is_inline}, {"default", agents_, find});
  }

  std::map<std::string, Json> workflows_;
  Agents agents_ = {{worker("x", "fast", 1, 1min)}};
};

TEST_F(PlanOfSeveral, AWorkflowThatNobodyKnowsIsToldAndMakesTheSumsIncomplete) {
  workflows_["outer"] = {
      {"steps", {runs("a", "nowhere"), runs("b", "forbidden"), runs("c", "$(steps.a.outputs.x)")}}};
  workflows_["outer"]["steps"][2]["dependsOn"] = {"a"};
  const auto plan = this->plan("outer");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_FALSE(plan->is_complete);
  const auto text = text_of(*plan);
  EXPECT_THAT(text, HasSubstr("a: not known: what Workflow nowhere does: there is none of that name"));
  EXPECT_THAT(text, HasSubstr("b: not known: what Workflow forbidden does: you may not"));
  EXPECT_THAT(text, HasSubstr("c: not known: its name is $(steps.a.outputs.x)"));
  EXPECT_TRUE(plan_json(*plan)["steps"][0].contains("workflowNotKnown"));
}

TEST_F(PlanOfSeveral, AWorkflowThatRunsItselfIsToldAndEnds) {
  workflows_["one"] = {{"steps", {runs("to-two", "two")}}};
  workflows_["two"] = {{"steps", {runs("to-one", "one")}}};
  EXPECT_THAT(
      text_of(*plan("one")),
      HasSubstr("to-two/to-one: not known: it would fail, since the Workflow would run itself: one/two/one"));
  // The run's own definition is not the Workflow of that name.
  EXPECT_THAT(text_of(*plan("one", {}, true)), HasSubstr("would run itself: two/one/two"));
}

TEST_F(PlanOfSeveral, NestingEndsWhereTheOperatorEndsIt) {
  for (int i = 0; i < 12; ++i)
    workflows_["w" + std::to_string(i)] = {{"steps", {runs("s", "w" + std::to_string(i + 1))}}};
  EXPECT_THAT(text_of(*plan("w0")), HasSubstr("at most 8 deep: w0/w1/w2/w3/w4/w5/w6/w7/w8"));
}

TEST_F(PlanOfSeveral, WhatMultipliesIsNotShownWithoutEnd) {
  Json steps = Json::array();
  for (int i = 0; i < 50; ++i) steps.push_back(step("s" + std::to_string(i), "fast"));
  workflows_["w3"] = {{"steps", steps}};
  for (int depth = 0; depth < 3; ++depth) {
    steps = Json::array();
    for (int i = 0; i < 50; ++i)
      steps.push_back(runs("s" + std::to_string(i), "w" + std::to_string(depth + 1)));
    workflows_["w" + std::to_string(depth)] = {{"steps", steps}};
  }
  agents_.reset();
  EXPECT_LT(plan_lines(*plan("w0"), {}).size(), 10000U);
  EXPECT_THAT(text_of(*plan("w0")), HasSubstr("the plan is too large to show it"));
}

TEST_F(PlanOfSeveral, ParametersThatTheStepDoesNotGiveOrGivesWronglyAreTold) {
  workflows_["outer"] = {{"steps", {runs("a", "inner"), runs("b", "inner", {{"page", 7}})}}};
  workflows_["inner"] = {{"parameters", {{{"name", "page"}, {"required", true}}}},
                         {"steps", {step("s", "fast")}}};
  const auto text = text_of(*plan("outer"));
  EXPECT_THAT(text, HasSubstr("a: it would fail: Workflow inner needs the parameter page"));
  EXPECT_THAT(
      text, HasSubstr("b: not known: it would fail: spec.parameters.page: expected a value of type String"));
}

TEST_F(PlanOfSeveral, AStepThatRunsAWorkflowCostsAndTakesWhatIsInIt) {
  Json pages = runs("pages", "inner", {{"kind", "$(item)"}, {"result", "$(steps.first.outputs.x)"}});
  pages["dependsOn"] = {"first"};
  pages["forEach"] = {{"items", {"fast", "fast", "fast"}}, {"parallelism", 2}};
  workflows_["outer"] = {{"steps", {step("first", "fast"), pages}}};
  workflows_["inner"] = {
      {"parameters", {{{"name", "kind"}, {"required", true}}, {{"name", "result"}, {"default", "none"}}}},
      {"steps", {step("a", "$(params.kind)"), step("b", "fast", {"a"})}}};
  const auto plan = this->plan("outer");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE(plan->is_complete);
  EXPECT_DOUBLE_EQ(plan->cost, 1 + 3 * 2);
  EXPECT_EQ(plan->duration, 1min + 2 * 2min);
  ASSERT_NE(plan->steps[1].below, nullptr);
  EXPECT_EQ(plan->steps[1].below->parameters, Json({{"kind", "fast"}}));  // `result` is known later
  const auto text = text_of(*plan);
  EXPECT_THAT(text, HasSubstr("\n2.1      a"));
  EXPECT_THAT(text, HasSubstr("\n2.2      b"));
  EXPECT_EQ(plan_json(*plan)["steps"][1]["plan"]["steps"].size(), 2U);
}

}  // namespace
}  // namespace convoke::plugin
