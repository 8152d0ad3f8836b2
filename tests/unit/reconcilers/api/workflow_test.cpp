#include "reconcilers/api/workflow.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/api/manifests.h"

namespace convoke::api {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Workflow workflow_with_spec(const Json& spec) {
  return Workflow::from_json({{"spec", spec}});
}

TEST(Workflow, WithoutAnythingHasItsDefaults) {
  const Workflow workflow = Workflow::from_json(Json::object());
  EXPECT_EQ(workflow.malformed, std::vector<std::string>{});
  EXPECT_EQ(workflow.spec.mode, WorkflowMode::Graph);
  EXPECT_EQ(workflow.spec.parallelism, 10);
  EXPECT_FALSE(workflow.spec.timeout.has_value());
  EXPECT_EQ(workflow.spec.on_failure, FailurePolicy::Abort);
  EXPECT_FALSE(workflow.spec.retry.has_value());
  ASSERT_EQ(workflow.spec.triggers.size(), 1U);
  EXPECT_EQ(workflow.spec.triggers[0].type, TriggerType::Create);
  EXPECT_EQ(workflow.spec.history_limits.succeeded, 3);
  EXPECT_EQ(workflow.spec_json, "");
}

TEST(Workflow, NamesTheStepThatIsMalformed) {
  const Workflow workflow = workflow_with_spec({{"steps", {{{"name", "build"}, {"timeout", 5}}, 7}}});
  ASSERT_EQ(workflow.spec.steps.size(), 1U);
  EXPECT_EQ(workflow.malformed,
            (std::vector<std::string>{"spec.steps[build].timeout: expected a duration such as \"90s\", got 5",
                                      "spec.steps[1]: expected an object, got 7"}));
}

TEST(Workflow, WithUnknownModeNamesTheKnownOnes) {
  EXPECT_EQ(workflow_with_spec({{"mode", "Ring"}}).malformed,
            std::vector<std::string>{
                "spec.mode: \"Ring\" is not one of Graph, Sequential, Parallel, StateMachine"});
}

TEST(Workflow, WithoutTriggersIsStartedByHandOnly) {
  EXPECT_TRUE(workflow_with_spec({{"triggers", Json::array()}}).spec.triggers.empty());
}

TEST(Workflow, ReadsTriggers) {
  const auto& triggers = Workflow::from_json(manifests::workflow()).spec.triggers;
  ASSERT_EQ(triggers.size(), 3U);
  EXPECT_EQ(triggers[0].key(), "create");
  EXPECT_EQ(triggers[1].key(), "nightly");
  EXPECT_EQ(triggers[1].cause(), "Schedule/nightly");
  EXPECT_EQ(triggers[1].schedule->cron, "30 3 * * *");
  EXPECT_EQ(triggers[1].schedule->time_zone, "Europe/Berlin");
  EXPECT_EQ(triggers[1].schedule->concurrency_policy, ConcurrencyPolicy::Forbid);
  EXPECT_EQ(triggers[1].schedule->starting_deadline, std::chrono::minutes(10));
  EXPECT_EQ(triggers[1].schedule->parameters, R"({"version":2})");
  EXPECT_EQ(triggers[2].event->type, "push");
  EXPECT_EQ(triggers[2].event->source, "/repo");
  EXPECT_EQ(triggers[2].event->filter, "true");
  EXPECT_EQ(triggers[2].event->parameters, R"json({"version":"$(event.data.version)"})json");
  const auto wrong = workflow_with_spec({{"triggers", {{{"type", "Sometimes"}}}}});
  EXPECT_TRUE(wrong.spec.triggers.empty());
  EXPECT_EQ(wrong.malformed.size(), 1U);
}

TEST(Workflow, StepWithoutRetryAndTimeoutLeavesThemToTheWorkflow) {
  const Workflow workflow = workflow_with_spec({{"steps", {{{"name", "build"}}}}});
  EXPECT_FALSE(workflow.spec.steps[0].retry.has_value());
  EXPECT_FALSE(workflow.spec.steps[0].timeout.has_value());
}

TEST(Workflow, ReadsEveryField) {
  const Workflow workflow = Workflow::from_json(manifests::workflow());
  const WorkflowSpec& spec = workflow.spec;
  EXPECT_EQ(workflow.malformed, std::vector<std::string>{});
  EXPECT_EQ(spec.parameters[0].name, "version");
  EXPECT_EQ(spec.parameters[0].type, ParameterType::Number);
  EXPECT_EQ(spec.parameters[0].default_value, "1.5");
  EXPECT_EQ(spec.parameters[0].allowed, (std::vector<RawJson>{"1.5", "2"}));
  EXPECT_TRUE(spec.parameters[0].required);
  EXPECT_EQ(spec.mode, WorkflowMode::Sequential);
  EXPECT_EQ(spec.timeout, hours(2));
  EXPECT_EQ(spec.on_failure, FailurePolicy::Continue);
  EXPECT_EQ(spec.retry->limit, 5);
  EXPECT_EQ(spec.steps[0].depends_on, std::vector<std::string>{"fetch"});
  EXPECT_EQ(spec.steps[0].task, R"({"type":"compile"})");
  EXPECT_EQ(spec.steps[0].retry, spec.retry);
  EXPECT_EQ(spec.steps[0].timeout, minutes(5));
  EXPECT_TRUE(spec.steps[0].optional);
  EXPECT_EQ(spec.outputs[0].value, R"json("$(steps.build.outputs.image)")json");
  EXPECT_EQ(spec.history_limits.failed, 2);
  EXPECT_TRUE(spec.suspend);
}

TEST(Workflow, KeepsItsSpecAsApplied) {
  const Json manifest = manifests::workflow();
  const Workflow workflow = Workflow::from_json(manifest);
  EXPECT_EQ(Json::parse(workflow.spec_json), manifest["spec"]);

  std::vector<std::string> malformed;
  const WorkflowSpec again = workflow_spec_from_json(Json::parse(workflow.spec_json), "data", malformed);
  EXPECT_EQ(malformed, std::vector<std::string>{});
  EXPECT_EQ(again.steps[0].task, workflow.spec.steps[0].task);
}

TEST(Workflow, StatusComesBackAsItWasWritten) {
  const Json manifest = manifests::workflow();
  const Workflow workflow = Workflow::from_json(manifest);
  const Json body = status_update(workflow, workflow.status);
  EXPECT_EQ(body["status"], manifest["status"]);
  EXPECT_EQ(Workflow::from_json(body).status, workflow.status);
}

TEST(ControllerRevision, WithBrokenDataHasNone) {
  EXPECT_EQ(ControllerRevision::from_json({{"revision", "x"}, {"data", "x"}}).data, "");
  EXPECT_EQ(ControllerRevision::from_json(Json::array()).revision, 0);
}

TEST(ControllerRevision, ComesBackAsItWasWritten) {
  ControllerRevision revision;
  revision.meta.name = "release-5f6d";
  revision.meta.namespace_ = "team-a";
  revision.revision = 4;
  revision.data = R"({"steps":[]})";
  const Json json = revision.to_json();
  EXPECT_EQ(json["apiVersion"], "apps/v1");
  EXPECT_EQ(json["kind"], "ControllerRevision");
  const ControllerRevision again = ControllerRevision::from_json(json);
  EXPECT_EQ(again.meta.name, "release-5f6d");
  EXPECT_EQ(again.revision, 4);
  EXPECT_EQ(again.data, revision.data);
}

}  // namespace
}  // namespace convoke::api
