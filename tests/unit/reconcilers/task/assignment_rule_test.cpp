#include "reconcilers/task/assignment_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/rule_view.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string problem(const std::string& expression) {
  const auto program = compile_rule(expression);
  return program ? "" : program.error().message;
}

TEST(AssignmentRule, AnAgentAndATaskMayBeCompared) {
  EXPECT_EQ(problem("agent.metadata.labels['zone'] == task.spec.parameters.zone"), "");
  EXPECT_EQ(problem("agent.status.statistics.exists(s, s.type == task.spec.type && s.tasks > 3)"), "");
  EXPECT_EQ(problem("has(agent.spec.rateLimit) || agent.status.phase == 'Ready'"), "");
}

TEST(AssignmentRule, AMistakeHasItsPositionOnOneLine) {
  EXPECT_THAT(problem("agent.spec.capacity >"), StartsWith("line 1, column 22: "));
  EXPECT_THAT(problem("agent.spec.capacity >"), Not(HasSubstr("\n")));
  EXPECT_EQ(problem("true &&\n run.name == 'x'"),
            "line 2, column 2: there is no name \"run\" in a rule, only agent and task");
}

TEST(AssignmentRule, WhatChangesAllTheTimeCannotBeNamed) {
  EXPECT_EQ(problem("agent.status.activeTasks < 3"),
            "line 1, column 1: rules know no agent.status.activeTasks, only phase, circuit, successRate, "
            "averageDuration, completedTasks, failedTasks, statistics");
  EXPECT_EQ(problem("task.status.attempt > 1"),
            "line 1, column 1: rules know no task.status, only metadata and spec");
  EXPECT_THAT(problem("agent.spec.capcity > 3"), HasSubstr("rules know no agent.spec.capcity, only type, "));
  EXPECT_EQ(problem("agent.metadata.uid == ''"),
            "line 1, column 1: rules know no agent.metadata.uid, only name, namespace, labels, annotations");
}

Json view_for(const api::Task& task, const std::string& expression) {
  return task_view(task, (*compile_rule(expression))->references());
}

TEST(RuleView, ATaskShowsOnlyWhatIsNamed) {
  api::Task task = make_task();
  task.meta.labels = {{"team", "a"}, {"tier", "x"}};
  task.spec.parameters = R"({"zone":"z1","files":[1,2],"deep":{"a":1,"b":2}})";
  EXPECT_EQ(view_for(task, "agent.spec.capacity > 1"), Json::object());
  EXPECT_EQ(view_for(task, "task.spec.parameters.zone == 'z1'"),
            Json::parse(R"({"spec":{"parameters":{"zone":"z1"}}})"));
  EXPECT_EQ(view_for(task, "task.spec.parameters.files[0] == 1"),
            Json::parse(R"({"spec":{"parameters":{"files":[1,2]}}})"));
  EXPECT_EQ(view_for(task, "task.spec.parameters.deep.a == 1 && size(task.spec.parameters.deep) == 2"),
            Json::parse(R"({"spec":{"parameters":{"deep":{"a":1,"b":2}}}})"));
  EXPECT_EQ(view_for(task, "task.metadata.labels[agent.metadata.name] == 'a'"),
            Json::parse(R"({"metadata":{"labels":{"team":"a","tier":"x"}}})"));
  EXPECT_EQ(view_for(task, "task.spec.parameters.zone.deeper == 1"),
            Json::parse(R"({"spec":{"parameters":{"zone":"z1"}}})"));
}

TEST(RuleView, WhatATaskLacksIsMissingInWhatWouldHoldIt) {
  EXPECT_EQ(view_for(make_task(), "task.spec.parameters.zone == 'z1'"),
            Json::parse(R"({"spec":{"parameters":{}}})"));
  EXPECT_EQ(view_for(make_task(), "has(task.metadata.labels.team)"),
            Json::parse(R"({"metadata":{"labels":{}}})"));
}

TEST(RuleView, DefaultsAreThere) {
  const Json view = view_for(make_task(), "size(task.spec) > 0");
  EXPECT_EQ(view["spec"]["priority"], 3);
  EXPECT_EQ(view["spec"]["assignment"]["strategy"], "CapabilityMatch");
  EXPECT_EQ(view["spec"]["delivery"], "AtLeastOnce");
  EXPECT_EQ(view["spec"]["timeout"], "1h");
  EXPECT_EQ(view["spec"]["suspend"], false);
}

TEST(RuleView, AnAgentHasNothingThatAHeartbeatChanges) {
  api::Agent agent = make_agent("a");
  agent.meta.labels = {{"zone", "z1"}};
  agent.spec.cost.per_task = 0.002;
  agent.status.statistics = {{"compile", 12, 0.5, std::chrono::seconds(3), std::chrono::seconds(4)}};
  const Json before = agent_view(agent);
  EXPECT_EQ(before["metadata"]["labels"]["zone"], "z1");
  EXPECT_EQ(before["spec"]["cost"]["perTask"], "0.002");
  EXPECT_EQ(before["status"]["phase"], "Ready");
  EXPECT_EQ(before["status"]["circuit"], "Closed");
  EXPECT_EQ(before["status"]["statistics"][0]["meanDuration"], "3s");
  agent.status.active_tasks = 7;
  agent.status.last_heartbeat_time = at({});
  agent.meta.resource_version = "999";
  EXPECT_EQ(agent_view(agent), before);
}

}  // namespace
}  // namespace convoke::task
