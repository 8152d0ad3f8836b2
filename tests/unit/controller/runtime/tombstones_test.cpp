#include "controller/runtime/tombstones.h"

#include <gtest/gtest.h>

namespace convoke::runtime {
namespace {

TEST(Tombstones, UnknownUidsAndVersionsAreNotRemembered) {
  Tombstones tombstones;
  tombstones.bury("", 7);
  tombstones.bury("u1", 0);
  EXPECT_EQ(tombstones.size(), 0U);
  EXPECT_FALSE(tombstones.covers("", 1));
  EXPECT_FALSE(tombstones.covers("u1", 1));
}

TEST(Tombstones, CoverVersionsUpToTheRemoval) {
  Tombstones tombstones;
  tombstones.bury("u1", 7);
  EXPECT_TRUE(tombstones.covers("u1", 6));
  EXPECT_TRUE(tombstones.covers("u1", 7));
  EXPECT_FALSE(tombstones.covers("u1", 8));
}

TEST(Tombstones, ALaterRemovalWins) {
  Tombstones tombstones;
  tombstones.bury("u1", Tombstones::kForever);
  tombstones.bury("u1", 7);
  EXPECT_TRUE(tombstones.covers("u1", 1000));
}

TEST(Tombstones, AListForgivesAllButOurOwnDeletes) {
  Tombstones tombstones;
  tombstones.bury("seen", 7);
  tombstones.bury("ours", Tombstones::kForever);
  tombstones.forgive("seen");
  tombstones.forgive("ours");
  EXPECT_FALSE(tombstones.covers("seen", 6));
  EXPECT_TRUE(tombstones.covers("ours", 6));
}

TEST(Tombstones, OnlyTheLatestAreKept) {
  Tombstones tombstones(2);
  tombstones.bury("u1", 1);
  tombstones.bury("u2", 2);
  tombstones.bury("u3", 3);
  EXPECT_EQ(tombstones.size(), 2U);
  EXPECT_FALSE(tombstones.covers("u1", 1));
  EXPECT_TRUE(tombstones.covers("u3", 3));
}

}  // namespace
}  // namespace convoke::runtime
