#include "reconcilers/api/child_name.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/api/hash.h"

namespace convoke::api {
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

}  // namespace
}  // namespace convoke::api
