#include "reconcilers/task/lock_decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using Why = LockDecision::Why;

const api::LockRequest kShared{"deploy", api::LockMode::Shared, 0};

LockRecord held_by_tasks(const std::vector<std::string>& tasks) {
  LockRecord record = new_lock("default", "deploy", 0);
  for (const std::string& task : tasks) {
    record = LockRecord::of(record.granted(make_task(task), kShared, kNow));
  }
  return record;
}

LockRecord held_by_foreign(std::int64_t seconds) {
  kube::Lease lease = new_lock("default", "deploy", 0).lease;
  lease.holder_identity = "them";
  lease.lease_duration_seconds = seconds;
  return LockRecord::of(lease);
}

TEST(LockDecide, NothingIsToDoAboutAFreeLock) {
  const LockRecord record = held_by_tasks({});
  const LockDecision decision = decide(LockSnapshot{record, {}, 1h, kNow});
  EXPECT_FALSE(decision.write);
  EXPECT_FALSE(decision.look_again);
}

TEST(LockDecide, WhoEndedIsFreedAndTheOthersStay) {
  const LockRecord record = held_by_tasks({"a", "b", "c"});
  const LockDecision decision =
      decide(LockSnapshot{record, {HolderState::Ended, HolderState::Holds, HolderState::Unknown}, 1s, kNow});
  EXPECT_EQ(decision.why, Why::Released);
  ASSERT_TRUE(decision.write);
  const LockRecord after = LockRecord::of(*decision.write);
  EXPECT_EQ(after.find("uid-a"), nullptr);
  EXPECT_NE(after.find("uid-b"), nullptr);
  EXPECT_NE(after.find("uid-c"), nullptr);
  EXPECT_EQ(after.lease.holder_identity, "uid-b");
}

TEST(LockDecide, AHolderIsRenewedEveryTenSecondsAndNeverExpires) {
  const LockRecord record = held_by_tasks({"a"});
  EXPECT_EQ(decide(LockSnapshot{record, {HolderState::Holds}, 4s, kNow}).look_again, 6s);
  for (const Duration age : {Duration(10s), Duration(24h)}) {
    const LockDecision decision = decide(LockSnapshot{record, {HolderState::Holds}, age, kNow + 10s});
    EXPECT_EQ(decision.why, Why::Renewed);
    EXPECT_NE(LockRecord::of(*decision.write).find("uid-a"), nullptr);
    EXPECT_EQ(decision.write->lease_transitions, record.lease.lease_transitions);
    EXPECT_NE(decision.write->renew_time, record.lease.renew_time);
  }
}

TEST(LockDecide, WhoseStateIsNotKnownKeepsItAndIsLookedAtSoon) {
  const LockRecord record = held_by_tasks({"a"});
  const LockDecision decision = decide(LockSnapshot{record, {HolderState::Unknown}, 1s, kNow});
  EXPECT_FALSE(decision.write);
  EXPECT_LE(*decision.look_again, 5s);
}

TEST(LockDecide, AForeignHolderIsFreedWhenItsTimeIsOver) {
  const LockRecord record = held_by_foreign(15);
  EXPECT_EQ(decide(LockSnapshot{record, {}, 14s, kNow}).look_again, 1s);
  const LockDecision decision = decide(LockSnapshot{record, {}, 15s, kNow});
  EXPECT_EQ(decision.why, Why::Expired);
  EXPECT_FALSE(LockRecord::of(*decision.write).is_held());
}

TEST(LockDecide, APersonBreaksItWhoeverHasIt) {
  for (LockRecord record : {held_by_tasks({"a", "b"}), held_by_foreign(30), held_by_tasks({})}) {
    record.lease.meta.annotations[kBreakLockAnnotation] = "";
    const std::vector<HolderState> states(record.holders.size(), HolderState::Holds);
    const LockDecision decision = decide(LockSnapshot{record, states, 1s, kNow});
    EXPECT_EQ(decision.why, Why::Broken);
    EXPECT_EQ(decision.freed.size(), record.holders.size());
    EXPECT_FALSE(LockRecord::of(*decision.write).is_held());
  }
}

}  // namespace
}  // namespace convoke::task
