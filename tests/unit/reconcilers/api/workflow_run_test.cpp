#include "reconcilers/api/workflow_run.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/api/manifests.h"

namespace convoke::api {
namespace {

TEST(WorkflowRun, WithParametersThatAreNoObjectHasNone) {
  const WorkflowRun run = WorkflowRun::from_json({{"spec", {{"parameters", {1, 2}}}}});
  EXPECT_EQ(run.spec.parameters, "");
  EXPECT_EQ(run.malformed, std::vector<std::string>{"spec.parameters: expected an object, got a list"});
}

TEST(WorkflowRun, ReadsEveryField) {
  const WorkflowRun run = WorkflowRun::from_json(manifests::workflow_run());
  EXPECT_EQ(run.malformed, std::vector<std::string>{});
  EXPECT_EQ(run.spec.workflow_name, "release");
  EXPECT_EQ(run.spec.workflow_spec, R"({"steps":[]})");
  EXPECT_EQ(run.spec.revision, "release-5f6d");
  EXPECT_EQ(run.spec.parameters, R"({"version":"1.2"})");
  EXPECT_EQ(run.spec.triggered_by, "alice");
  EXPECT_TRUE(run.spec.suspend);
  EXPECT_EQ(run.spec.ttl_after_finished, std::chrono::minutes(90));
  EXPECT_EQ(run.spec.cancel->reason, "wrong version");
  EXPECT_EQ(run.status.phase, RunPhase::Running);
  EXPECT_EQ(run.status.steps[0].phase, StepPhase::Failed);
  EXPECT_EQ(run.status.counts, (StepCounts{21, 6, 5, 4, 3, 2, 1}));
}

TEST(WorkflowRun, StatusComesBackAsItWasWritten) {
  const Json manifest = manifests::workflow_run();
  const WorkflowRun run = WorkflowRun::from_json(manifest);
  const Json body = status_update(run, run.status);
  EXPECT_EQ(body["status"], manifest["status"]);
  EXPECT_EQ(WorkflowRun::from_json(body).status, run.status);
}

TEST(WorkflowRun, EmptyStatusFieldsAreLeftOut) {
  EXPECT_EQ(status_update(WorkflowRun{}, WorkflowRunStatus{})["status"], (Json{{"phase", "Pending"}}));
}

TEST(WorkflowRun, PhasesThatEnd) {
  EXPECT_FALSE(is_terminal(RunPhase::Suspended));
  EXPECT_TRUE(is_terminal(RunPhase::Cancelled));
  EXPECT_FALSE(is_terminal(StepPhase::Running));
  EXPECT_TRUE(is_terminal(StepPhase::Skipped));
}

}  // namespace
}  // namespace convoke::api
