#include "controller/base/random.h"

#include <set>

#include <gtest/gtest.h>

namespace convoke {
namespace {

TEST(Random, SeededGivesThePublishedSplitmix64Sequence) {
  const auto random = make_seeded_random(1234567);
  EXPECT_EQ(random->next(), 6457827717110365317u);
  EXPECT_EQ(random->next(), 3203168211198807973u);
  EXPECT_EQ(random->next(), 9817491932198370423u);
}

TEST(Random, UniformStaysInRangeAndSpreads) {
  const auto random = make_seeded_random(7);
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const double value = random->uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 1000, 0.5, 0.05);
}

TEST(Random, HexHasTwoLowerCaseDigitsForEachByte) {
  const auto random = make_seeded_random(7);
  EXPECT_EQ(random->hex(0), "");
  for (const int bytes : {1, 8, 9, 16}) {
    const std::string text = random->hex(bytes);
    EXPECT_EQ(text.size(), static_cast<std::size_t>(bytes) * 2);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos) << text;
  }
}

TEST(Random, SystemRandomDoesNotRepeatItself) {
  const auto first = make_system_random();
  const auto second = make_system_random();
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(first->next());
    seen.insert(second->next());
  }
  EXPECT_EQ(seen.size(), 200u);
}

}  // namespace
}  // namespace convoke
