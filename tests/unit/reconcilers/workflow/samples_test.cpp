// The samples that users apply first are accepted as they stand.
#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/parameters.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

Json scalar_to_json(const YAML::Node& node) {
  const bool quoted = node.Tag() == "!";
  if (!quoted) {
    const auto plain = Json::parse(node.Scalar(), nullptr, false);
    if (plain.is_number() || plain.is_boolean() || plain.is_null()) {
      return plain;
    }
  }
  return node.Scalar();
}

Json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& member : node) {
      object[member.first.Scalar()] = to_json(member.second);
    }
    return object;
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const auto& item : node) {
      list.push_back(to_json(item));
    }
    return list;
  }
  return node.IsScalar() ? scalar_to_json(node) : Json();
}

Json load_sample(const std::string& name) {
  return to_json(YAML::LoadFile(CONVOKE_SAMPLES "/" + name));
}

class Sample : public ::testing::TestWithParam<const char*> {};

TEST_P(Sample, IsAValidWorkflowThatRunsWithItsDefaults) {
  for (const auto& document : YAML::LoadAllFromFile(CONVOKE_SAMPLES "/" + std::string(GetParam()))) {
    const Json sample = to_json(document);
    EXPECT_EQ(sample["kind"], "Workflow");
    const auto definition = specs::check(sample["spec"]);
    ASSERT_TRUE(definition) << definition.error().message;
    const auto& triggers = (*definition)->spec.triggers;
    const bool runs_at_once = std::any_of(triggers.begin(), triggers.end(), [](const auto& trigger) {
      return trigger.type == api::TriggerType::Create;
    });
    EXPECT_TRUE(!runs_at_once || resolve_parameters((*definition)->spec.parameters, "{}"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Sample,
                         ::testing::Values("approved-deployment.yaml", "canary.yaml", "data-load.yaml",
                                           "flaky-service.yaml", "fleet-rollout.yaml", "hello.yaml",
                                           "incident.yaml", "ingest.yaml", "long-poll.yaml",
                                           "matrix-test.yaml", "nightly-report.yaml", "release-pipeline.yaml",
                                           "sub-workflows.yaml", "trip-booking.yaml"));

TEST(Samples, EveryTaskTypeOfThePipelineHasAnAgentAndAScript) {
  Json known = Json::object();
  for (const char* agent : {"builder", "tester", "publisher"}) {
    known.update(load_sample("agents/" + std::string(agent) + ".yaml")["tasks"]);
  }
  const Json pipeline = load_sample("release-pipeline.yaml");
  for (const auto& step : pipeline["spec"]["steps"]) {
    const std::string type = step["task"]["type"];
    ASSERT_TRUE(known.contains(type)) << type;
    const std::string command = known[type]["command"][2];
    EXPECT_THAT(command, ::testing::HasSubstr("/steps/" + type + ".sh"));
  }
}

}  // namespace
}  // namespace convoke::workflow
