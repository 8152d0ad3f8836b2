#include "reconcilers/task/task_metrics.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "reconcilers/task/waiting_metrics.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;
using ::testing::Not;

class TaskMetricsTest : public ::testing::Test {
 protected:
  std::string text() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }
  std::size_t lines() const {
    const std::string all = text();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n'));
  }
  static api::AttemptRecord attempt(const std::string& agent, api::AttemptOutcome outcome) {
    api::AttemptRecord record;
    record.agent_name = agent;
    record.outcome = outcome;
    record.assigned_at = at(-10s);
    record.finished_at = at(0s);
    return record;
  }

  prometheus::Registry registry_;
  TaskMetrics metrics_{registry_};
};

TEST_F(TaskMetricsTest, HoweverManyTypesAndAgentsThereAreTheSeriesAreBounded) {
  const auto fill = [this](int from, int to) {
    for (int i = from; i < to; ++i) {
      api::Task task = make_task("t" + std::to_string(i));
      task.spec.type = "type-" + std::to_string(i);
      api::Agent agent = make_agent("agent-" + std::to_string(i));
      agent.spec.type = "kind-" + std::to_string(i);
      metrics_.task_changed(nullptr, &task);
      metrics_.agent_changed(nullptr, &agent);
      metrics_.assigned(task, 1s);
      metrics_.attempt_ended(task, attempt(agent.meta.name, api::AttemptOutcome::Failed), &agent);
    }
  };
  fill(0, 200);
  const std::size_t before = lines();
  fill(200, 1000);
  EXPECT_EQ(lines(), before);
  EXPECT_THAT(text(), HasSubstr("convoke_task_assign_seconds_count{priority=\"3\",type=\"other\"} 980"));
  EXPECT_THAT(text(), HasSubstr("convoke_agent_attempts_total{agent=\"other\",outcome=\"Failed\"} 900"));
  EXPECT_THAT(text(), HasSubstr("convoke_task_attempt_seconds_count{agent_type=\"other\"} 980"));
}

TEST_F(TaskMetricsTest, AnAgentThatWentMakesRoomForAnother) {
  const api::Task task = make_task();
  for (int i = 0; i < 1000; ++i) {
    const api::Agent agent = make_agent("pod-" + std::to_string(i));
    metrics_.agent_changed(nullptr, &agent);
    metrics_.attempt_ended(task, attempt(agent.meta.name, api::AttemptOutcome::Succeeded), &agent);
    if (i < 999) metrics_.agent_changed(&agent, nullptr);
  }
  EXPECT_THAT(text(), HasSubstr("convoke_agent_attempt_seconds_total{agent=\"default/pod-999\"} 10"));
  EXPECT_THAT(text(), Not(HasSubstr("default/pod-998")));
  EXPECT_THAT(text(), HasSubstr("convoke_agent_attempt_seconds_total{agent=\"other\"} 0"));
}

TEST_F(TaskMetricsTest, AnEndIsCountedOnceByItsReason) {
  EXPECT_THAT(text(), HasSubstr("convoke_tasks_finished_total{phase=\"Failed\",reason=\"AgentLost\"} 0"));
  api::TaskStatus failed = make_running().status;
  failed.phase = api::TaskPhase::Failed;
  failed.reason = reason::kAgentLost;
  metrics_.finished(make_running().status, failed);
  metrics_.finished(failed, failed);
  EXPECT_THAT(text(), HasSubstr("convoke_tasks_finished_total{phase=\"Failed\",reason=\"AgentLost\"} 1"));
}

class WaitingMetricsTest : public ::testing::Test {
 protected:
  double value(const std::string& name, const std::string& why) const {
    for (const auto& family : metrics_.Collect()) {
      for (const auto& metric : family.metric) {
        if (family.name == name && metric.label.at(0).value == why) return metric.gauge.value;
      }
    }
    return -1;
  }
  double tasks(const std::string& why) const { return value("convoke_tasks_waiting", why); }
  double oldest(const std::string& why) const { return value("convoke_task_oldest_waiting_seconds", why); }
  api::Task queued_for(const std::string& name, Duration time, const std::string& why = reason::kAgentsBusy) {
    api::Task task = make_queued(why);
    task.meta.name = name;
    task.status.queued_at = format_micro_time(clock_.wall_now() - time);
    return task;
  }

  fakes::FakeClock clock_;
  WaitingMetrics metrics_{clock_};
};

TEST_F(WaitingMetricsTest, EveryReasonExistsAtZero) {
  EXPECT_EQ(tasks("New"), 0);
  EXPECT_EQ(tasks(reason::kNoEligibleAgent), 0);
  EXPECT_EQ(oldest(reason::kAgentsBusy), 0);
}

TEST_F(WaitingMetricsTest, TheOldestIsFoundAgainWhenAnOlderOneGoes) {
  const api::Task old = queued_for("old", 60s);
  const api::Task young = queued_for("young", 10s);
  metrics_.task_changed(nullptr, &young);
  metrics_.task_changed(nullptr, &old);
  clock_.advance(5s);
  EXPECT_EQ(tasks(reason::kAgentsBusy), 2);
  EXPECT_NEAR(oldest(reason::kAgentsBusy), 65, 0.01);
  const api::Task assigned = make_assigned();
  metrics_.task_changed(&old, &assigned);
  EXPECT_NEAR(oldest(reason::kAgentsBusy), 15, 0.01);
  metrics_.task_changed(&young, nullptr);
  EXPECT_EQ(tasks(reason::kAgentsBusy), 0);
  EXPECT_EQ(oldest(reason::kAgentsBusy), 0);
}

TEST_F(WaitingMetricsTest, ChangesMayComeInEitherOrder) {
  const api::Task first = queued_for("t", 60s);
  const api::Task second = queued_for("t", 30s, reason::kNoEligibleAgent);
  metrics_.task_changed(&first, &second);
  EXPECT_EQ(tasks(reason::kAgentsBusy), 0);
  EXPECT_EQ(oldest(reason::kAgentsBusy), 0);
  metrics_.task_changed(nullptr, &first);
  EXPECT_EQ(tasks(reason::kAgentsBusy), 0);
  EXPECT_EQ(oldest(reason::kAgentsBusy), 0);
  EXPECT_NEAR(oldest(reason::kNoEligibleAgent), 30, 0.01);
}

TEST_F(WaitingMetricsTest, WhoWaitsForAPersonHasNoAgeAndAForeignReasonNoSeries) {
  const api::Task suspended = queued_for("s", 60s, reason::kSuspended);
  const api::Task foreign = queued_for("f", 60s, "Whatever");
  metrics_.task_changed(nullptr, &suspended);
  metrics_.task_changed(nullptr, &foreign);
  EXPECT_EQ(tasks(reason::kSuspended), 1);
  EXPECT_EQ(oldest(reason::kSuspended), 0);
  EXPECT_EQ(tasks("Whatever"), -1);
  EXPECT_EQ(tasks("Other"), 1);
}

}  // namespace
}  // namespace convoke::task
