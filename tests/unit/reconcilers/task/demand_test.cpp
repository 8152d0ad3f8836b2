#include "reconcilers/task/demand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::ElementsAre;
using DemandKind = Demand::Kind;

TEST(Demand, AMalformedTaskWantsNothing) {
  api::Task task = make_task();
  task.malformed = {"spec.priority: expected an integer, got a string"};
  EXPECT_EQ(demand_of(task, kNow).kind, DemandKind::None);
}

TEST(Demand, AStrangeStatusIsNoReasonToStop) {
  api::Task task = make_task();
  task.malformed = {"status.report.progress: expected an integer, got a string"};
  EXPECT_EQ(demand_of(task, kNow).kind, DemandKind::Waiting);
}

TEST(Demand, SuspendedCancelledAndDeletedTasksWantNothing) {
  api::Task suspended = make_queued();
  suspended.spec.suspend = true;
  EXPECT_EQ(demand_of(suspended, kNow).kind, DemandKind::None);
  api::Task cancelled = make_queued();
  cancelled.spec.cancel = api::Cancel{"no"};
  EXPECT_EQ(demand_of(cancelled, kNow).kind, DemandKind::None);
  api::Task deleted = make_queued();
  deleted.meta.deletion_timestamp = at(0s);
  EXPECT_EQ(demand_of(deleted, kNow).kind, DemandKind::None);
}

TEST(Demand, ASuspendedTaskThatRunsStillCounts) {
  api::Task task = make_running();
  task.spec.suspend = true;
  const Demand demand = demand_of(task, kNow);
  EXPECT_EQ(demand.kind, DemandKind::Active);
  EXPECT_EQ(demand.agent_name, "builder-1");
}

TEST(Demand, ARetryWaitsUntilItIsDue) {
  api::Task task = make_queued(reason::kRetrying);
  task.status.retry_at = at(5s);
  EXPECT_EQ(demand_of(task, kNow).kind, DemandKind::None);
  EXPECT_EQ(until_retry(task, kNow), 5s);
  EXPECT_EQ(demand_of(task, kNow + 5s).kind, DemandKind::Waiting);
}

TEST(Demand, ARetryThatAWrongClockPutIntoTheFarFutureIsDue) {
  api::Task task = make_queued(reason::kRetrying);
  task.status.retry_at = at(48h);
  EXPECT_EQ(until_retry(task, kNow), 0s);
  task.status.retry_at = "no time at all";
  EXPECT_EQ(until_retry(task, kNow), 0s);
}

TEST(Demand, AStartOfCenturiesAgoIsOver) {
  api::Task task = make_task();
  task.spec.not_before = "1678-01-01T00:00:00Z";
  EXPECT_EQ(until_start(task, kNow), 0s);
  EXPECT_EQ(demand_of(task, kNow).kind, DemandKind::Waiting);
  task.spec.not_before = "2261-01-01T00:00:00Z";
  EXPECT_GT(until_start(task, kNow), 200 * 365 * 24h);
}

TEST(Demand, CapabilitiesAreASetAndTheTypeIsTheDefault) {
  api::Task task = make_task();
  EXPECT_THAT(demand_of(task, kNow).requirement.capabilities, ElementsAre("compile"));
  task.spec.requires_.capabilities = {"gpu", "fast", "gpu"};
  EXPECT_THAT(demand_of(task, kNow).requirement.capabilities, ElementsAre("fast", "gpu"));
}

TEST(Demand, DifferentRequirementsHaveDifferentKeys) {
  const Requirement joined{{"a:1"}, {}};
  const Requirement split{{"a", "1"}, {}};
  Requirement labelled{{"a"}, {}};
  labelled.selector.match_labels = {{"tier", "gpu"}};
  Requirement expressed{{"a"}, {}};
  expressed.selector.match_expressions = {{"tier", "In", {"gpu"}}};
  const std::set<std::string> keys = {joined.key(), split.key(), labelled.key(), expressed.key()};
  EXPECT_EQ(keys.size(), 4U);
}

TEST(Demand, ARejecterIsExcludedAndAskedAgainAfterAWhile) {
  api::Task task = make_queued(reason::kRejected);
  task.status.attempts = {rejection("b", -1500ms), rejection("a", -500ms)};
  const Offer now = demand_of(task, kNow).offer;
  EXPECT_THAT(now.excluded, ElementsAre("a", "b"));
  EXPECT_FALSE(now.reoffer);
  EXPECT_EQ(until_reoffer(task, kNow), 1500ms);
  EXPECT_TRUE(demand_of(task, kNow + 1500ms).offer.reoffer);
}

TEST(Demand, APinnedTaskThatWasRejectedWaitsForItsAgent) {
  api::Task task = make_queued(reason::kRejected);
  task.spec.agent_name = "a";
  task.status.attempts = {rejection("a", -500ms)};
  EXPECT_EQ(demand_of(task, kNow).kind, DemandKind::None);
  const Demand later = demand_of(task, kNow + 500ms);
  EXPECT_EQ(later.kind, DemandKind::Waiting);
  EXPECT_EQ(later.offer.pinned, "a");
}

TEST(Demand, ARejectionFromTheFutureCostsNoTime) {
  api::Task task = make_queued(reason::kRejected);
  task.status.attempts = {rejection("a", 1h)};
  EXPECT_EQ(until_reoffer(task, kNow), 0s);
}

TEST(Demand, RejectionDelaysDoubleUpToAMinute) {
  EXPECT_EQ(rejection_delay(1), 1s);
  EXPECT_EQ(rejection_delay(3), 4s);
  EXPECT_EQ(rejection_delay(10), 60s);
  EXPECT_EQ(rejection_delay(1000), 60s);
}

TEST(Demand, TimeSinceAFutureOrUnreadableTimeIsZero) {
  EXPECT_EQ(since(at(-3s), kNow), 3s);
  EXPECT_EQ(since(at(3s), kNow), 0s);
  EXPECT_EQ(since("yesterday", kNow), 0s);
}

}  // namespace
}  // namespace convoke::task
