#include "reconcilers/workflow/run_waiting_metrics.h"

#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;

class RunWaitingMetricsTest : public ::testing::Test {
 protected:
  double value(const std::string& name, const std::string& label) const {
    for (const auto& family : metrics_.Collect()) {
      for (const auto& metric : family.metric) {
        if (family.name == name && metric.label.at(0).value == label) {
          return metric.gauge.value;
        }
      }
    }
    return -1;
  }
  double oldest_run(const std::string& phase) const { return value("convoke_run_oldest_seconds", phase); }
  double steps(const std::string& why) const { return value("convoke_steps_waiting", why); }
  double oldest_step(const std::string& why) const {
    return value("convoke_step_oldest_waiting_seconds", why);
  }
  std::string ago(Duration time) const { return format_time(clock_.wall_now() - time); }
  api::WorkflowRun run(api::RunPhase phase, Duration created, Duration started) const {
    api::WorkflowRun run;
    run.meta.creation_timestamp = ago(created);
    run.status.phase = phase;
    run.status.started_at = started == 0s ? "" : ago(started);
    return run;
  }
  void add_step(api::WorkflowRun& run, const std::string& why, Duration since) const {
    api::StepStatus row;
    row.phase = api::StepPhase::Running;
    row.reason = why;
    row.started_at = ago(since);
    run.status.steps.push_back(row);
  }

  fakes::FakeClock clock_;
  RunWaitingMetrics metrics_{clock_};
};

TEST_F(RunWaitingMetricsTest, EverySeriesExistsAtZero) {
  for (const char* phase : {"Pending", "Running", "Suspended", "Compensating"}) {
    EXPECT_EQ(oldest_run(phase), 0);
  }
  for (const char* why : {"WaitingForApproval", "WaitingForEvent", "Waiting"}) {
    EXPECT_EQ(steps(why), 0);
    EXPECT_EQ(oldest_step(why), 0);
  }
  EXPECT_EQ(oldest_run("Succeeded"), -1);
}

TEST_F(RunWaitingMetricsTest, ARunIsAsOldAsItsLastRoundOrItsStartOrItsCreation) {
  const auto pending = run(api::RunPhase::Pending, 100s, 0s);
  auto running = run(api::RunPhase::Running, 100s, 60s);
  metrics_.run_changed(nullptr, &pending);
  metrics_.run_changed(nullptr, &running);
  clock_.advance(5s);
  EXPECT_NEAR(oldest_run("Pending"), 105, 1);
  EXPECT_NEAR(oldest_run("Running"), 65, 1);
  auto again = running;
  again.status.round_started_at = ago(10s);
  metrics_.run_changed(&running, &again);
  EXPECT_NEAR(oldest_run("Running"), 10, 1);
  auto ended = again;
  ended.status.phase = api::RunPhase::Compensated;
  metrics_.run_changed(&again, &ended);
  metrics_.run_changed(&pending, nullptr);
  EXPECT_EQ(oldest_run("Running"), 0);
  EXPECT_EQ(oldest_run("Pending"), 0);
}

TEST_F(RunWaitingMetricsTest, StepsThatWaitAreCountedUntilTheyOrTheirRunEnded) {
  auto first = run(api::RunPhase::Running, 100s, 100s);
  add_step(first, reason::kWaitingForApproval, 90s);
  add_step(first, reason::kWaitingForEvent, 80s);
  add_step(first, reason::kItemsFailed, 70s);
  auto second = run(api::RunPhase::Suspended, 100s, 100s);
  add_step(second, reason::kWaitingForApproval, 30s);
  metrics_.run_changed(nullptr, &first);
  metrics_.run_changed(nullptr, &second);
  EXPECT_EQ(steps("WaitingForApproval"), 2);
  EXPECT_NEAR(oldest_step("WaitingForApproval"), 90, 1);
  EXPECT_NEAR(oldest_step("WaitingForEvent"), 80, 1);
  auto approved = first;
  approved.status.steps[0].phase = api::StepPhase::Succeeded;
  metrics_.run_changed(&first, &approved);
  EXPECT_EQ(steps("WaitingForApproval"), 1);
  EXPECT_NEAR(oldest_step("WaitingForApproval"), 30, 1);
  auto cancelled = second;
  cancelled.status.phase = api::RunPhase::Cancelled;
  metrics_.run_changed(&second, &cancelled);
  EXPECT_EQ(steps("WaitingForApproval"), 0);
  EXPECT_EQ(steps("WaitingForEvent"), 1);
}

TEST_F(RunWaitingMetricsTest, ChangesMayComeInEitherOrder) {
  auto first = run(api::RunPhase::Running, 60s, 60s);
  add_step(first, reason::kWaiting, 60s);
  auto second = first;
  second.status.phase = api::RunPhase::Succeeded;
  metrics_.run_changed(&first, &second);
  EXPECT_EQ(oldest_run("Running"), 0);
  EXPECT_EQ(steps("Waiting"), 0);
  metrics_.run_changed(nullptr, &first);
  EXPECT_EQ(oldest_run("Running"), 0);
  EXPECT_EQ(steps("Waiting"), 0);
}

}  // namespace
}  // namespace convoke::workflow
