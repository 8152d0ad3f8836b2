#include "reconcilers/agent/performance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/random.h"
#include "tests/unit/reconcilers/agent/now.h"

namespace convoke::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::SizeIs;

EndedAttempt attempt(int number, bool succeeded = true, Duration took = 10s,
                     const std::string& type = "build") {
  return {"id-" + std::to_string(number), type, succeeded, kNow + number * 1s, took};
}

api::Agent with(const api::AgentStatus& status) {
  api::Agent agent;
  agent.meta.creation_timestamp = "2026-01-01T11:00:00Z";
  // As it comes back from the API.
  agent.status = api::Agent::from_json(api::status_update(agent, status)).status;
  return agent;
}

TEST(Performance, CountsAreExactAndTheFirstOnesAreAPlainMean) {
  api::AgentStatus status;
  count(status, attempt(1, true, 10s));
  count(status, attempt(2, true, 20s));
  count(status, attempt(3, false, 99s));
  count(status, attempt(4, false, 99s));
  EXPECT_EQ(status.completed_tasks, 2);
  EXPECT_EQ(status.failed_tasks, 2);
  EXPECT_DOUBLE_EQ(status.success_rate, 0.5);
  EXPECT_EQ(status.average_duration, 15s);
  ASSERT_THAT(status.statistics, SizeIs(1));
  EXPECT_EQ(status.statistics[0].tasks, 4);
  EXPECT_EQ(status.statistics[0].mean_duration, 15s);
}

TEST(Performance, WhatIsRecentCountsMore) {
  api::AgentStatus status;
  for (int i = 0; i < 1000; ++i) count(status, attempt(i, true, 10s));
  for (int i = 0; i < 20; ++i) count(status, attempt(1000 + i, false));
  EXPECT_LT(status.success_rate, 0.15);
  for (int i = 0; i < 40; ++i) count(status, attempt(2000 + i, true, 1s));
  EXPECT_GT(status.success_rate, 0.9);
  EXPECT_LT(status.average_duration, 2s);
}

TEST(Performance, The95thPercentileIsFoundWithNothingButItself) {
  api::AgentStatus status;
  const auto random = make_seeded_random(1);
  double sum = 0;
  constexpr int kRounds = 5000;
  for (int i = 0; i < kRounds; ++i) {
    const auto took = std::chrono::milliseconds(static_cast<int>(1000 * random->uniform()));
    count(status, attempt(i, true, took));
    status = with(status).status;
    if (i >= 500) sum += std::chrono::duration<double>(status.statistics[0].p95_duration).count();
  }
  EXPECT_NEAR(sum / (kRounds - 500), 0.95, 0.08);
}

TEST(Performance, AConstantDurationIsAboutItsOwnPercentile) {
  api::AgentStatus status;
  for (int i = 0; i < 100; ++i) count(status, attempt(i, true, 7s));
  EXPECT_GE(status.statistics[0].p95_duration, 6900ms);
  EXPECT_LE(status.statistics[0].p95_duration, 7700ms);
}

TEST(Performance, KeepsTheTwentyTypesThatItHadLast) {
  api::AgentStatus status;
  count(status, attempt(0, true, 1s, "first"));
  for (int i = 0; i < 19; ++i) count(status, attempt(1 + i, true, 1s, "type-" + std::to_string(i)));
  count(status, attempt(50, true, 1s, "first"));
  count(status, attempt(51, true, 1s, "last"));
  EXPECT_THAT(status.statistics, SizeIs(kMaxTaskTypes));
  EXPECT_EQ(status.statistics.back().type, "last");
  EXPECT_EQ(status.statistics[status.statistics.size() - 2].type, "first");
  EXPECT_EQ(status.statistics.front().type, "type-1");
}

TEST(Performance, TheStatusTellsWhatItHolds) {
  api::AgentStatus status;
  status.present = true;
  status.observed_generation = 1;
  for (int i = 0; i < 50; ++i) count(status, attempt(i));
  const api::Agent agent = with(status);
  EXPECT_EQ(agent.status, status) << "nothing is lost on the way to the API and back";
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(is_counted(agent, attempt(i))) << i;
  EXPECT_FALSE(is_counted(agent, attempt(50)));
  EXPECT_THAT(status.counted_attempts, SizeIs(kMaxCounted));
}

TEST(Performance, AnAttemptThatWasOvertakenIsNotHeld) {
  api::AgentStatus status;
  for (int i = 0; i < 50; ++i) {
    if (i != 40) count(status, attempt(i));
  }
  EXPECT_FALSE(is_counted(with(status), attempt(40)));
  count(status, attempt(40));
  EXPECT_TRUE(is_counted(with(status), attempt(40)));
}

TEST(Performance, AttemptsOfAFormerAgentOfThatNameAreNotCounted) {
  EndedAttempt old = attempt(1);
  old.finished_at = kNow - 2h;
  EXPECT_TRUE(is_counted(with({}), old));
  EXPECT_FALSE(is_counted(with({}), attempt(1)));
}

TEST(EndedAttempt, OnlyWhatSaysSomethingAboutTheAgentIsOne) {
  using api::AttemptOutcome;
  api::Task task;
  task.spec.type = "build";
  api::AttemptRecord record;
  record.agent_name = "a";
  record.assignment_id = "id";
  record.assigned_at = "2026-01-01T12:00:00Z";
  record.finished_at = "2026-01-01T12:00:10Z";
  for (const AttemptOutcome outcome :
       {AttemptOutcome::Rejected, AttemptOutcome::Cancelled, AttemptOutcome::Delegated,
        AttemptOutcome::Rebalanced, AttemptOutcome::Suspended, AttemptOutcome::LockLost}) {
    record.outcome = outcome;
    EXPECT_FALSE(EndedAttempt::of(task, record)) << to_string(outcome);
  }
  for (const AttemptOutcome outcome :
       {AttemptOutcome::Failed, AttemptOutcome::Timeout, AttemptOutcome::AgentLost}) {
    record.outcome = outcome;
    EXPECT_FALSE(EndedAttempt::of(task, record)->succeeded) << to_string(outcome);
  }
  record.outcome = AttemptOutcome::Succeeded;
  EXPECT_TRUE(EndedAttempt::of(task, record)->succeeded);
  EXPECT_EQ(EndedAttempt::of(task, record)->took, 10s);
  record.started_at = "2026-01-01T12:00:08Z";
  EXPECT_EQ(EndedAttempt::of(task, record)->took, 2s);
  record.started_at = "garbage";
  record.finished_at = "2026-01-01T11:00:00Z";
  EXPECT_EQ(EndedAttempt::of(task, record)->took, 0s);
}

}  // namespace
}  // namespace convoke::agent
