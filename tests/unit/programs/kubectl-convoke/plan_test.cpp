#include "programs/kubectl-convoke/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

api::Agent agent(const std::string& name, const std::string& capability, double per_minute = 0,
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
  const std::vector<api::Agent> agents = {agent("a", "fast", 1, 1min), agent("b", "slow", 0.5, 10min)};
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
  auto cordoned = agent("c", "fast");
  cordoned.spec.cordoned = true;
  const auto plan = make_plan("d", "default", {{"steps", {step("top", "fast")}}}, {},
                              std::vector<api::Agent>{agent("b", "slow"), cordoned});
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
  const auto plan = make_plan("d", "default", spec, {}, std::vector<api::Agent>{agent("x", "fast")});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->steps[0].task_type, "fast");
  EXPECT_EQ(plan->steps[0].agents->candidates.size(), 1U);
}

TEST(Plan, ATypeThatAnEarlierStepGivesIsKnownLater) {
  const Json spec = {{"steps", {step("a", "fast"), step("b", "$(steps.a.outputs.kind)", {"a"})}}};
  const auto plan = make_plan("d", "default", spec, {}, std::vector<api::Agent>{agent("x", "fast")});
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
      make_plan("d", "default", spec, given, std::vector<api::Agent>{agent("x", "fast", 1, 1min)});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->steps[0].items, 3);
  EXPECT_EQ(plan->duration, 2min);
  EXPECT_DOUBLE_EQ(plan->cost, 3);
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
  auto full = agent("f", "fast");
  full.spec.capacity = 1;
  full.status.active_tasks = 1;
  auto other = agent("o", "fast");
  other.meta.namespace_ = "elsewhere";
  const auto plan =
      make_plan("d", "default", {{"steps", {step("top", "fast")}}}, {}, std::vector<api::Agent>{full, other});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->steps[0].agents->objections.size(), 1U);
  EXPECT_TRUE(plan->steps[0].agents->objections[0].is_busy);
}

}  // namespace
}  // namespace convoke::plugin
