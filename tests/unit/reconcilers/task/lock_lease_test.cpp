#include "reconcilers/task/lock_lease.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace testing;
using api::LockMode;
using ::testing::Optional;

const api::LockRequest kWriteDeploy{"deploy", LockMode::Exclusive, 0};
const api::LockRequest kReadDeploy{"deploy", LockMode::Shared, 2};

LockRecord grant(const LockRecord& record, const std::string& task, const api::LockRequest& request) {
  return LockRecord::of(kube::Lease::from_json(record.granted(make_task(task), request, kNow).to_json()));
}

TEST(LockRecord, AGrantSaysWhoHasItSinceWhenAndWithWhichToken) {
  const LockRecord record = grant(new_lock("default", "deploy", 0), "a", kWriteDeploy);
  EXPECT_EQ(record.lease.meta.name, "convoke-lock-deploy");
  EXPECT_EQ(lock_of(record.lease), "deploy");
  EXPECT_EQ(record.lease.holder_identity, "uid-a");
  EXPECT_EQ(record.lease.lease_transitions, 1);
  EXPECT_EQ(record.lease.lease_duration_seconds, 30);
  ASSERT_NE(record.find("uid-a"), nullptr);
  EXPECT_EQ(*record.find("uid-a"),
            (LockHolder{"uid-a", "a", LockMode::Exclusive, 0, 1, at(Duration::zero())}));
  EXPECT_EQ(record.describe(), "Task a (Exclusive)");
}

TEST(LockRecord, EveryGrantHasAHigherTokenEvenToTheSameTask) {
  LockRecord record = grant(new_lock("default", "deploy", 41), "a", kReadDeploy);
  EXPECT_EQ(record.find("uid-a")->token, 42);
  record = grant(record, "b", kReadDeploy);
  EXPECT_EQ(record.find("uid-b")->token, 43);
  record = grant(record, "a", kReadDeploy);
  EXPECT_EQ(record.find("uid-a")->token, 44);
  EXPECT_EQ(record.holders.size(), 2U);
  EXPECT_EQ(record.lease.holder_identity, "uid-b") << "the oldest";
}

TEST(LockRecord, AFreedLeaseKeepsItsToken) {
  LockRecord record = grant(new_lock("default", "deploy", 0), "a", kWriteDeploy);
  record = LockRecord::of(record.without({"uid-a"}, kNow));
  EXPECT_FALSE(record.is_held());
  EXPECT_EQ(record.lease.lease_transitions, 1);
  EXPECT_FALSE(record.lease.meta.annotations.contains(kLockHoldersAnnotation));
  EXPECT_EQ(grant(record, "b", kWriteDeploy).find("uid-b")->token, 2);
}

// By somebody who may write Leases.
kube::Lease written(const std::string& annotation, const std::string& identity) {
  kube::Lease lease = new_lock("default", "deploy", 7).lease;
  lease.meta.annotations[kLockHoldersAnnotation] = annotation;
  lease.holder_identity = identity;
  return lease;
}

TEST(LockRecord, AnAnnotationThatNamesNoTaskMakesAForeignHolder) {
  for (const char* annotation : {"", "{", "[]", "3", "[1]", R"([{"uid":"x"}])", R"([{"uid":"x","task":""}])",
                                 R"([{"uid":"x","task":7}])", R"([{"uid":"x","task":"../../secrets"}])",
                                 R"([{"uid":"x","task":"A b"}])", R"([{"task":"a"}])"}) {
    const LockRecord record = LockRecord::of(written(annotation, "x"));
    EXPECT_TRUE(record.holders.empty()) << annotation;
    EXPECT_EQ(record.foreign, "x") << annotation;
  }
  const std::string long_name(254, 'n');
  EXPECT_EQ(LockRecord::of(written(R"([{"uid":"x","task":")" + long_name + R"("}])", "x")).foreign, "x");
}

TEST(LockRecord, WhatIsWrittenAnewIsWhatTheApiTakes) {
  const std::string annotation =
      R"([{"uid":"x","task":"a","since":"lunch"},{"uid":"y","task":"b","since":"2026-01-01T12:00:00+02:00"},)"
      R"({"uid":"z","task":"c","since":7,"permits":1e300,"token":"high","mode":["Shared"]}])";
  LockRecord record = LockRecord::of(written(annotation, "x"));
  ASSERT_EQ(record.holders.size(), 3U);
  kube::Lease next = record.without({"x"}, kNow);
  EXPECT_EQ(next.acquire_time, "2026-01-01T10:00:00.000000Z");
  next = LockRecord::of(next).without({"y"}, kNow);
  EXPECT_EQ(next.acquire_time, "");
  EXPECT_FALSE(next.to_json()["spec"].contains("acquireTime"));
}

TEST(LockRecord, AForeignDurationThatMakesNoSenseIsAUsualOne) {
  kube::Lease lease = written("", "x");
  for (const std::int64_t seconds :
       {std::int64_t{0}, std::int64_t{-5}, std::numeric_limits<std::int64_t>::min()}) {
    lease.lease_duration_seconds = seconds;
    EXPECT_EQ(LockRecord::of(lease).duration(), kLockDuration) << seconds;
  }
  lease.lease_duration_seconds = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(LockRecord::of(lease).duration(), kMaxLockDuration);
}

TEST(LockRecord, SharedAdmitsAsManyAsTheSmallestNumberOfPermits) {
  LockRecord record = grant(new_lock("default", "deploy", 0), "a", kReadDeploy);
  EXPECT_TRUE(record.admits("uid-b", {"deploy", LockMode::Shared, 100}));
  EXPECT_FALSE(record.admits("uid-b", kWriteDeploy));
  record = grant(record, "b", {"deploy", LockMode::Shared, 0});
  EXPECT_FALSE(record.admits("uid-c", {"deploy", LockMode::Shared, 100}));
  EXPECT_TRUE(record.admits("uid-a", kReadDeploy)) << "it is one of the two";
}

TEST(LockRecord, AHolderIdentityThatTheAnnotationDoesNotBeginWithIsForeign) {
  LockRecord record = grant(new_lock("default", "deploy", 0), "a", kReadDeploy);
  kube::Lease taken = record.lease;
  taken.holder_identity = "their-program";
  record = LockRecord::of(taken);
  EXPECT_TRUE(record.holders.empty());
  EXPECT_EQ(record.foreign, "their-program");
  EXPECT_FALSE(record.admits("uid-b", kReadDeploy));
  EXPECT_FALSE(LockRecord::of(record.without({}, kNow)).is_held());
}

TEST(LockRecord, AnAnnotationThatCannotBeReadNamesNobody) {
  for (const char* text : {"", "{", "7", "[7]", "[{}]", R"([{"uid":7}])", R"({"uid":"uid-a"})"}) {
    kube::Lease lease = new_lock("default", "deploy", 0).lease;
    lease.holder_identity = "uid-a";
    lease.meta.annotations[kLockHoldersAnnotation] = text;
    EXPECT_EQ(LockRecord::of(lease).foreign, "uid-a") << text;
  }
}

TEST(LockRecord, BreakingItFreesItFromEverybodyAndTakesTheRequestAway) {
  LockRecord record = grant(new_lock("default", "deploy", 0), "a", kWriteDeploy);
  record.lease.meta.annotations[kBreakLockAnnotation] = "stuck";
  EXPECT_THAT(record.break_reason(), Optional(std::string("stuck")));
  const LockRecord broken = LockRecord::of(record.broken(kNow));
  EXPECT_FALSE(broken.is_held());
  EXPECT_FALSE(broken.break_reason());
}

TEST(LockRecord, TheDurationOfAForeignHolderIsBounded) {
  kube::Lease lease;
  for (const auto& [said, taken] : std::map<std::int64_t, int>{{0, 30}, {-5, 30}, {15, 15}, {86400, 300}}) {
    lease.lease_duration_seconds = said;
    EXPECT_EQ(LockRecord::of(lease).duration(), std::chrono::seconds(taken)) << said;
  }
}

TEST(LockLease, IsOneOnlyIfNameAndLabelAgree) {
  kube::Lease lease;
  lease.meta.name = "convoke-lock-a";
  EXPECT_FALSE(lock_of(lease));
  lease.meta.labels[api::label::kLock] = "b";
  EXPECT_FALSE(lock_of(lease));
  lease.meta.labels[api::label::kLock] = "a";
  EXPECT_EQ(lock_of(lease), "a");
}

TEST(LockOrder, IsByNameWithoutDuplicates) {
  const auto locks =
      in_order({{"b", LockMode::Shared, 1}, {"a", LockMode::Exclusive, 0}, {"b", LockMode::Shared, 2}});
  ASSERT_EQ(locks.size(), 2U);
  EXPECT_EQ(locks[0].name, "a");
  EXPECT_EQ(locks[1].permits, 1);
}

}  // namespace
}  // namespace convoke::task
