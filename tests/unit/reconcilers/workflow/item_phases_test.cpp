#include "reconcilers/workflow/item_phases.h"

#include <string>

#include <gtest/gtest.h>

namespace convoke::workflow {
namespace {

TEST(ItemPhases, AreShortAsText) {
  ItemPhases phases(10'000);
  EXPECT_EQ(phases.text(), "10000p");
  phases.set(0, ItemPhases::kSucceeded);
  phases.set(9'999, ItemPhases::kFailed);
  EXPECT_EQ(phases.text(), "1s9998p1f");
  const auto again = ItemPhases::parse(phases.text());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text(), phases.text());
  EXPECT_EQ(again->count(ItemPhases::kPending), 9'998u);
  EXPECT_EQ(again->first(ItemPhases::kFailed), 9'999u);
  EXPECT_EQ(again->first(ItemPhases::kRunning), again->size());
}

TEST(ItemPhases, OfNothingAreEmpty) {
  EXPECT_EQ(ItemPhases().text(), "");
  EXPECT_EQ(ItemPhases::parse("")->size(), 0u);
}

TEST(ItemPhases, RefuseWhatIsNotOfTheirForm) {
  for (const auto* text :
       {"s", "3", "3s2", "3z", "-1s", "10001p", "9999p2s", "99999999999999999999s", "1 s"}) {
    EXPECT_FALSE(ItemPhases::parse(text)) << text;
  }
}

}  // namespace
}  // namespace convoke::workflow
