#include "reconcilers/workflow/trigger_check.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using specs::spec;
using specs::step;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Json kParameters = {{{"name", "branch"}, {"type", "String"}},
                          {{"name", "count"}, {"type", "Number"}, {"default", 1}}};

api::WorkflowSpec read(std::vector<Json> triggers, const Json& parameters = kParameters) {
  std::vector<std::string> malformed;
  return api::workflow_spec_from_json(
      spec({step("a")}, {{"parameters", parameters}, {"triggers", std::move(triggers)}}), "spec", malformed);
}

std::string problem(std::vector<Json> triggers, const Json& parameters = kParameters) {
  const auto status = check_triggers(read(std::move(triggers), parameters));
  return status ? "" : status.error().message;
}

Json scheduled(const std::string& cron, const Json& more = Json::object()) {
  Json schedule = {{"cron", cron}};
  schedule.update(more);
  return {{"type", "Schedule"}, {"schedule", schedule}};
}

Json on_event(const Json& more = Json::object()) {
  Json event = {{"type", "push"}};
  event.update(more);
  return {{"type", "Event"}, {"event", event}};
}

Json named(const std::string& name, Json trigger) {
  trigger["name"] = name;
  return trigger;
}

TEST(TriggerCheck, GoodTriggersPass) {
  EXPECT_EQ(
      problem({{{"type", "Create"}},
               {{"type", "Change"}},
               scheduled("@daily", {{"timeZone", "Europe/Berlin"},
                                    {"parameters", {{"branch", "$(schedule.time)"}, {"count", 2}}}}),
               on_event({{"filter", "event.data.branch == 'main' && workflow.name != ''"},
                         {"parameters", {{"branch", "$(event.data.branch)"}, {"count", "$(event.data.n)"}}}}),
               named("other", on_event())}),
      "");
  EXPECT_EQ(problem({}), "");
}

TEST(TriggerCheck, ABadScheduleNamesTheTriggerAndTheField) {
  EXPECT_THAT(problem({scheduled("0 25 * * *")}),
              HasSubstr("spec.triggers[0].schedule.cron: hour: expected 0 to 23, got \"25\""));
  EXPECT_THAT(problem({named("nightly", scheduled("@daily", {{"timeZone", "Mars/Olympus"}}))}),
              HasSubstr("spec.triggers[nightly].schedule.timeZone: expected"));
  EXPECT_THAT(problem({scheduled("0 0 30 2 *")}), HasSubstr("never comes"));
}

TEST(TriggerCheck, ABlockGoesWithItsTypeOnly) {
  EXPECT_THAT(problem({{{"type", "Schedule"}}}), HasSubstr("spec.triggers[0].schedule:"));
  EXPECT_THAT(problem({{{"type", "Event"}}}), HasSubstr("spec.triggers[0].event:"));
  Json both = scheduled("@daily");
  both["event"] = {{"type", "push"}};
  EXPECT_THAT(problem({both}), HasSubstr("spec.triggers[0].event:"));
}

TEST(TriggerCheck, SeveralOfATypeNeedNamesOfTheirOwn) {
  EXPECT_THAT(problem({scheduled("@daily"), scheduled("@hourly")}),
              AllOf(HasSubstr("spec.triggers[1].name"), HasSubstr("\"schedule\"")));
  EXPECT_THAT(problem({named("a", scheduled("@daily")), named("a", on_event())}), HasSubstr("two triggers"));
  EXPECT_EQ(problem({scheduled("@daily"), named("a", scheduled("@hourly"))}), "");
  EXPECT_THAT(problem({named("Not-A-Name", scheduled("@daily"))}), HasSubstr("lower-case"));
}

TEST(TriggerCheck, AFilterMustParseAndNameWhatThereIs) {
  EXPECT_THAT(problem({on_event({{"filter", "event.data."}})}), HasSubstr("spec.triggers[0].event.filter:"));
  EXPECT_THAT(problem({on_event({{"filter", "params.x == 1"}})}),
              HasSubstr("there is no name \"params\" here; there are event and workflow"));
}

TEST(TriggerCheck, ParametersMustBeThoseOfTheWorkflow) {
  EXPECT_THAT(problem({on_event({{"parameters", {{"nothing", 1}}}})}),
              HasSubstr("spec.triggers[0].event.parameters.nothing: the workflow has no such parameter"));
  EXPECT_THAT(problem({on_event({{"parameters", {{"count", "many"}}}})}),
              HasSubstr("spec.triggers[0].event.parameters.count: expected a value of type Number"));
  EXPECT_THAT(problem({on_event({{"parameters", {{"branch", "$(event.data."}}}})}),
              HasSubstr("spec.triggers[0].event.parameters.branch"));
  EXPECT_THAT(problem({on_event({{"parameters", {{"branch", "$(schedule.time)"}}}})}),
              HasSubstr("there is no name \"schedule\" here"));
}

TEST(TriggerCheck, WhatIsRequiredMustBeGiven) {
  const Json required = {{{"name", "branch"}, {"required", true}}};
  EXPECT_THAT(problem({on_event()}, required),
              HasSubstr("spec.triggers[0].event.parameters: parameter \"branch\" is required"));
  EXPECT_THAT(problem({scheduled("@daily")}, required), HasSubstr("parameter \"branch\" is required"));
  EXPECT_THAT(problem({{{"type", "Change"}}}, required), HasSubstr("parameter \"branch\" is required"));
  EXPECT_EQ(problem({on_event({{"parameters", {{"branch", "main"}}}})}, required), "");
  EXPECT_EQ(problem({{{"type", "Create"}}}, required), "") << "the default of every Workflow";
}

TEST(TriggerCheck, ParametersAreFilledWithTheirTypes) {
  const auto spec = read(
      {on_event({{"parameters", {{"branch", "refs/$(event.data.branch)"}, {"count", "$(event.data.n)"}}}})});
  const Json event = {{"data", {{"branch", "main"}, {"n", 3}}}};
  const auto values = fill_parameters(spec, spec.triggers[0], {{"event", event}});
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(*values, (Json{{"branch", "refs/main"}, {"count", 3}}));
  const Json poor = {{"data", {{"branch", "main"}}}};
  EXPECT_FALSE(fill_parameters(spec, spec.triggers[0], {{"event", poor}}));
  const Json wrong = {{"data", {{"branch", "main"}, {"n", "three"}}}};
  const auto refused = fill_parameters(spec, spec.triggers[0], {{"event", wrong}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("count"));
}

}  // namespace
}  // namespace convoke::workflow
