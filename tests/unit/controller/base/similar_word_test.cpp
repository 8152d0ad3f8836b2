#include "controller/base/similar_word.h"

#include <gtest/gtest.h>

namespace convoke {
namespace {

const std::vector<std::string> kKnown = {"level", "format", "leaseDuration", "task", "agent"};

TEST(MostSimilar, NothingIsSuggestedForAWordThatIsFarFromAll) {
  EXPECT_EQ(most_similar("colour", kKnown), "");
  EXPECT_EQ(most_similar("", kKnown), "");
  EXPECT_EQ(most_similar("task", {}), "");
  EXPECT_EQ(most_similar(std::string(1'000'000, 't'), kKnown), "");
}

TEST(MostSimilar, OneSlipOfTheFingerIsForgiven) {
  EXPECT_EQ(most_similar("leve", kKnown), "level");
  EXPECT_EQ(most_similar("levell", kKnown), "level");
  EXPECT_EQ(most_similar("lebel", kKnown), "level");
  EXPECT_EQ(most_similar("tasks", kKnown), "task");
  EXPECT_EQ(most_similar("atsk", kKnown), "task");
  EXPECT_EQ(most_similar("leaseduration", kKnown), "leaseDuration");
}

TEST(MostSimilar, TheFirstOfEquallyNearWordsIsTaken) {
  EXPECT_EQ(most_similar("lesel", {"level", "lesen"}), "level");
}

}  // namespace
}  // namespace convoke
