#include "reconcilers/workflow/item_iterations.h"

#include <gtest/gtest.h>

namespace convoke::workflow {
namespace {

TEST(ItemIterations, AreReadAsTheyAreWritten) {
  const ItemIterations iterations = {{3, 2}, {17, 5}};
  EXPECT_EQ(to_text(iterations), "3:2,17:5");
  EXPECT_EQ(parse_item_iterations("3:2,17:5"), iterations);
  EXPECT_EQ(to_text({}), "");
  EXPECT_TRUE(parse_item_iterations("").empty());
}

TEST(ItemIterations, AreReadUpToWhatIsNotOfTheForm) {
  EXPECT_EQ(parse_item_iterations("3:2,x"), (ItemIterations{{3, 2}}));
  EXPECT_EQ(parse_item_iterations("3:2 4:5"), ItemIterations());
  EXPECT_EQ(parse_item_iterations("3:2,4"), (ItemIterations{{3, 2}}));
  EXPECT_EQ(parse_item_iterations("3:-2"), ItemIterations());
  EXPECT_EQ(parse_item_iterations("99999999999999999999:1"), ItemIterations());
}

}  // namespace
}  // namespace convoke::workflow
