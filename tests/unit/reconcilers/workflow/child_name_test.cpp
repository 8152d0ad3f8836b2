#include "reconcilers/workflow/child_name.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/workflow/hash.h"

namespace convoke::workflow {
namespace {

using ::testing::StartsWith;

TEST(Sha256, IsTheOneOfTheStandard) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ChildName, IsReadableWhileItFits) {
  EXPECT_EQ(child_name("release", "build"), "release-build");
  EXPECT_EQ(child_name(std::string(31, 'a'), std::string(31, 'b')).size(), 63u);
  EXPECT_EQ(child_name(std::string(31, 'a'), std::string(31, 'b')),
            std::string(31, 'a') + "-" + std::string(31, 'b'));
}

TEST(ChildName, IsCutAndHashedToFit) {
  const std::string run(100, 'r');
  const auto name = child_name(run, "build");
  EXPECT_EQ(name.size(), 63u);
  EXPECT_THAT(name, StartsWith(std::string(54, 'r') + "-"));
  EXPECT_NE(name, child_name(run, "test"));
  EXPECT_EQ(name, child_name(run, "build"));
}

TEST(ChildName, DoesNotEndItsCutInADash) {
  const auto name = child_name(std::string(53, 'a') + "." + std::string(20, '-') + "b", "s");
  EXPECT_THAT(name, StartsWith(std::string(53, 'a') + "-"));
  EXPECT_EQ(name.find(".-"), std::string::npos);
}

TEST(ChildName, TellsCutNamesOfCollidingRunsApart) {
  const std::string run(70, 'a');
  EXPECT_NE(child_name(run, "b-c"), child_name(run + "-b", "c"));
}

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
