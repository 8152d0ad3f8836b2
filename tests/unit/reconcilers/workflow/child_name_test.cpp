#include "reconcilers/workflow/child_name.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::workflow {
namespace {

using ::testing::StartsWith;

TEST(ChildName, HasAnAlternativeThatIsTheRunsOwn) {
  ASSERT_EQ(child_name("a", "b-c"), child_name("a-b", "c"));
  const auto first = alternative_child_name("a", "uid-1", "b-c");
  const auto second = alternative_child_name("a-b", "uid-2", "c");
  EXPECT_THAT(first, StartsWith("a-b-c-"));
  EXPECT_NE(first, second);
  EXPECT_LE(alternative_child_name(std::string(200, 'x'), "uid", std::string(63, 'y')).size(), 63u);
}

TEST(CreatedRunName, IsTheSameForOneLifeOfAWorkflow) {
  EXPECT_EQ(created_run_name("release", "uid-1"), created_run_name("release", "uid-1"));
  EXPECT_NE(created_run_name("release", "uid-1"), created_run_name("release", "uid-2"));
  EXPECT_EQ(created_run_name("release", "uid-1").size(), std::string("release-").size() + 5);
  EXPECT_LE(created_run_name(std::string(253, 'w'), "uid-1").size(), 63u);
  EXPECT_NE(alternative_created_run_name("release", "uid-1"), created_run_name("release", "uid-1"));
}

}  // namespace
}  // namespace convoke::workflow
