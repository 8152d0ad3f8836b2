#include "controller/runtime/token_bucket.h"

#include <gtest/gtest.h>

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kStart{1h};

TEST(TokenBucket, RefusesAfterTheBurstUntilATokenIsThere) {
  TokenBucket bucket(2, 3, kStart);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(kStart));
  EXPECT_FALSE(bucket.take(kStart));
  EXPECT_FALSE(bucket.take(kStart + 499ms));
  EXPECT_TRUE(bucket.take(kStart + 500ms));
}

TEST(TokenBucket, NeverHoldsMoreThanTheBurst) {
  TokenBucket bucket(100, 2, kStart);
  const auto later = kStart + 1h;
  EXPECT_TRUE(bucket.take(later));
  EXPECT_TRUE(bucket.take(later));
  EXPECT_FALSE(bucket.take(later));
}

TEST(TokenBucket, OtherRateHoldsFromThenOn) {
  TokenBucket bucket(1, 2, kStart);
  EXPECT_TRUE(bucket.take(kStart));
  EXPECT_TRUE(bucket.take(kStart));
  bucket.set_rate(10, 3, kStart);  // one more at once
  EXPECT_TRUE(bucket.take(kStart));
  EXPECT_FALSE(bucket.take(kStart + 50ms));
  EXPECT_TRUE(bucket.take(kStart + 100ms));
  bucket.set_rate(10, 1, kStart + 1h);  // three were there
  EXPECT_TRUE(bucket.take(kStart + 1h));
  EXPECT_FALSE(bucket.take(kStart + 1h));
}

TEST(TokenBucket, TokenIsThereWhenItSaysSo) {
  TokenBucket bucket(3, 1, kStart);
  EXPECT_EQ(bucket.available_at(kStart), kStart);
  auto now = kStart;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(bucket.take(now)) << i;
    now = bucket.available_at(now);
  }
  EXPECT_NEAR(std::chrono::duration<double>(now - kStart).count(), 1000.0 / 3, 0.001);
}

}  // namespace
}  // namespace convoke::runtime
