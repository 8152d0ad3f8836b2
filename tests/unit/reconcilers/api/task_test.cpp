#include "reconcilers/api/task.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/api/manifests.h"

namespace convoke::api {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Task task_with_spec(const Json& spec) {
  return Task::from_json({{"spec", spec}});
}

TEST(Task, WithoutAnythingHasItsDefaults) {
  const Task task = task_with_spec({{"type", "build"}});
  EXPECT_EQ(task.malformed, std::vector<std::string>{});
  EXPECT_EQ(task.spec.priority, 3);
  EXPECT_EQ(task.spec.timeout, hours(1));
  EXPECT_EQ(task.spec.deadline, hours(24));
  EXPECT_EQ(task.spec.retry, RetryPolicy{});
  EXPECT_FALSE(task.spec.ttl_after_finished.has_value());
  EXPECT_FALSE(task.spec.cancel.has_value());
  EXPECT_FALSE(task.status.present);
  EXPECT_EQ(task.spec.required_capabilities(), std::vector<std::string>{"build"});
}

TEST(Task, WithPriorityOutOfRangeKeepsTheDefault) {
  const Task task = task_with_spec({{"priority", 9}});
  EXPECT_EQ(task.spec.priority, 3);
  EXPECT_EQ(task.malformed,
            std::vector<std::string>{"spec.priority: expected an integer from 1 to 5, got 9"});
}

TEST(Task, WithBadDurationsKeepsTheDefaults) {
  const Task task =
      task_with_spec({{"timeout", "soon"}, {"deadline", "0s"}, {"ttlAfterFinished", "999999h"}});
  EXPECT_EQ(task.spec.timeout, hours(1));
  EXPECT_EQ(task.spec.deadline, hours(24));
  EXPECT_FALSE(task.spec.ttl_after_finished.has_value());
  EXPECT_EQ(task.malformed,
            (std::vector<std::string>{
                "spec.timeout: \"soon\" is not a duration such as \"90s\", \"5m\" or \"1h30m\"",
                "spec.deadline: must be at least 1ms, got \"0s\"",
                "spec.ttlAfterFinished: must be at most 87600h, got \"999999h\""}));
}

TEST(Task, WithUnknownRetryCauseKeepsAllDefaultCauses) {
  const Task task = task_with_spec({{"retry", {{"limit", 1}, {"on", {"Failed", "Moon"}}}}});
  EXPECT_EQ(task.spec.retry.limit, 1);
  EXPECT_EQ(task.spec.retry.on, RetryPolicy{}.on);
  EXPECT_EQ(task.malformed,
            std::vector<std::string>{"spec.retry.on[1]: \"Moon\" is not one of Failed, Timeout, AgentLost"});
}

TEST(Task, WithoutRetryCausesIsNeverRetried) {
  EXPECT_TRUE(task_with_spec({{"retry", {{"on", Json::array()}}}}).spec.retry.on.empty());
}

TEST(Task, CancelNeedsNoReason) {
  EXPECT_FALSE(task_with_spec({{"cancel", nullptr}}).spec.cancel.has_value());
  ASSERT_TRUE(task_with_spec({{"cancel", Json::object()}}).spec.cancel.has_value());
  EXPECT_EQ(task_with_spec({{"cancel", {{"reason", "late"}}}}).spec.cancel->reason, "late");
}

TEST(Task, ReadsEveryField) {
  const Task task = Task::from_json(manifests::task());
  EXPECT_EQ(task.malformed, std::vector<std::string>{});
  EXPECT_EQ(task.spec.title, "Prüfe \u2603");
  EXPECT_EQ(task.spec.parameters, R"({"depth":[1,2.5,{"x":null}],"path":"src"})");
  EXPECT_EQ(task.spec.priority, 5);
  EXPECT_EQ(task.spec.required_capabilities(), std::vector<std::string>{"review"});
  EXPECT_EQ(task.spec.requires_.agent_selector.describe(), "tier=gpu, zone in (a)");
  EXPECT_EQ(task.spec.agent_name, "builder-1");
  EXPECT_EQ(task.spec.timeout, minutes(10));
  EXPECT_EQ(task.spec.retry.on, (std::vector<RetryOn>{RetryOn::Timeout, RetryOn::Failed}));
  EXPECT_EQ(task.spec.retry.backoff, (Backoff{BackoffType::Fixed, seconds(7), seconds(70)}));
  EXPECT_EQ(task.spec.cancel->reason, "not needed");
  EXPECT_EQ(task.spec.ttl_after_finished, minutes(90));
  EXPECT_EQ(task.status.phase, TaskPhase::Running);
  EXPECT_EQ(task.status.assignment.rejected[0].reason, "is full");
  EXPECT_EQ(task.status.report.state, ReportState::Failed);
  EXPECT_EQ(task.status.report.outputs, R"({"files":[1,2],"sha256":"00ff"})");
  EXPECT_FALSE(task.status.report.error_retryable);
  EXPECT_EQ(task.status.attempts[0].outcome, AttemptOutcome::AgentLost);
}

TEST(Task, SpecComesBackAsItWasWritten) {
  const Json manifest = manifests::task();
  EXPECT_EQ(spec_to_json(Task::from_json(manifest).spec), manifest["spec"]);
}

TEST(Task, SpecLeavesDefaultsOut) {
  TaskSpec spec;
  spec.type = "build";
  EXPECT_EQ(spec_to_json(spec), (Json{{"type", "build"}}));
}

TEST(Task, SpecInsideAnotherObjectNamesItsPlace) {
  std::vector<std::string> malformed;
  const TaskSpec spec =
      task_spec_from_json({{"type", 7}, {"title", "t"}}, "spec.steps[build].task", malformed);
  EXPECT_EQ(spec.title, "t");
  EXPECT_EQ(malformed, std::vector<std::string>{"spec.steps[build].task.type: expected a string, got 7"});
}

TEST(Task, StatusComesBackAsItWasWrittenWithTheReportUnchanged) {
  const Json manifest = manifests::task();
  const Task task = Task::from_json(manifest);
  const Json body = status_update(task, task.status);
  EXPECT_EQ(body["status"], manifest["status"]);
  EXPECT_EQ(body["status"]["report"]["extra"], Json::array({1}));
  EXPECT_EQ(Task::from_json(body).status, task.status);
}

TEST(Task, ReportWithWrongTypesIsStillWrittenBackUnchanged) {
  Json manifest = manifests::task();
  manifest["status"]["report"] = {{"assignmentID", 7}, {"state", "Moon"}, {"progress", 400}};
  const Task task = Task::from_json(manifest);
  EXPECT_EQ(task.status.report.state, ReportState::None);
  EXPECT_EQ(task.malformed.size(), 3U);
  EXPECT_EQ(status_update(task, task.status)["status"]["report"], manifest["status"]["report"]);
}

TEST(Task, EmptyStatusIsNotPresent) {
  EXPECT_FALSE(Task::from_json({{"status", Json::object()}}).status.present);
  EXPECT_EQ(status_update(Task{}, TaskStatus{})["status"], (Json{{"phase", "Pending"}}));
}

TEST(Task, RejectionsAreKeptWithoutAnAssignment) {
  TaskStatus status;
  status.assignment.rejected = {{"builder-1", "lacks capability gpu"}};
  const Json body = status_update(Task{}, status);
  EXPECT_EQ(body["status"]["assignment"],
            Json::parse(R"({"rejected": [{"agentName": "builder-1", "reason": "lacks capability gpu"}]})"));
  EXPECT_EQ(Task::from_json(body).status.assignment, status.assignment);
}

TEST(TaskPhase, EndsThreeWays) {
  EXPECT_TRUE(is_terminal(TaskPhase::Succeeded));
  EXPECT_TRUE(is_terminal(TaskPhase::Failed));
  EXPECT_TRUE(is_terminal(TaskPhase::Cancelled));
  EXPECT_FALSE(is_terminal(TaskPhase::Pending));
  EXPECT_FALSE(is_terminal(TaskPhase::Queued));
  EXPECT_FALSE(is_terminal(TaskPhase::Assigned));
  EXPECT_FALSE(is_terminal(TaskPhase::Running));
  EXPECT_STREQ(to_string(TaskPhase::Cancelled), "Cancelled");
}

}  // namespace
}  // namespace convoke::api
