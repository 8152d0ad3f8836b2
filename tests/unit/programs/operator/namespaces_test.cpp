#include "programs/operator/namespaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::programs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Namespaces, NoneAreAll) {
  EXPECT_TRUE(check_namespaces(""));
  EXPECT_THAT(parse_namespaces(""), ElementsAre(""));
}

TEST(Namespaces, SeveralAreSeparatedByCommasAndEachIsWatchedOnce) {
  EXPECT_TRUE(check_namespaces("team-b,team-a,team-b"));
  EXPECT_THAT(parse_namespaces("team-b,team-a,team-b"), ElementsAre("team-a", "team-b"));
}

TEST(Namespaces, WhatNoNamespaceCanBeCalledIsRefused) {
  for (const char* text : {",", "a,", "a, b", "Team", "-a", "a-", "a/b"}) {
    EXPECT_FALSE(check_namespaces(text)) << text;
  }
  EXPECT_FALSE(check_namespaces(std::string(64, 'a')));
  EXPECT_THAT(check_namespaces("a,B").error().message, HasSubstr("\"B\""));
}

}  // namespace
}  // namespace convoke::programs
