#include "tests/fakes/api_patch.h"

#include <gtest/gtest.h>

namespace convoke::fakes {
namespace {

const Json kObject = {{"status", {{"assignment", {{"id", "x"}}}, {"text", "t"}, {"list", {1, 2}}}}};

int json_patch_failure(const char* patch) {
  const auto result = apply_patch(kJsonPatch, patch, kObject);
  return result ? 0 : result.error().code;
}

TEST(JsonPatch, AFailedTestOrAMissingPathIsUnprocessable) {
  for (const char* patch :
       {R"([{"op":"test","path":"/status/assignment/id","value":"y"}])",
        R"([{"op":"test","path":"/status/none","value":"y"}])", R"([{"op":"remove","path":"/status/none"}])",
        R"([{"op":"replace","path":"/status/none","value":1}])",
        R"([{"op":"add","path":"/none/state","value":1}])",
        R"([{"op":"add","path":"/status/text/state","value":1}])",
        R"([{"op":"add","path":"/status/list/7","value":1}])", R"([{"op":"jump","path":"/a"}])",
        R"([{"path":"/a"}])", R"([{"op":"add","value":1}])", R"([7])"}) {
    EXPECT_EQ(json_patch_failure(patch), 422) << patch;
  }
}

TEST(JsonPatch, WhatIsNotAPatchIsABadRequest) {
  EXPECT_EQ(json_patch_failure("{"), 400);
  EXPECT_EQ(json_patch_failure(R"({"a":1})"), 400);
}

TEST(JsonPatch, AppliesItsOperationsInOrder) {
  const auto result = apply_patch(kJsonPatch, R"([{"op":"test","path":"/status/assignment/id","value":"x"},
      {"op":"add","path":"/status/report","value":{}},{"op":"add","path":"/status/report/state","value":"Running"},
      {"op":"remove","path":"/status/text"}])",
                                  kObject);
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)["status"]["report"]["state"], "Running");
  EXPECT_FALSE((*result)["status"].contains("text"));
}

TEST(MergePatch, NullRemovesAndListsAreReplaced) {
  const auto result = apply_patch(kMergePatch, R"({"status":{"text":null,"list":[3]}})", kObject);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->dump(), R"({"status":{"assignment":{"id":"x"},"list":[3]}})");
  EXPECT_FALSE(apply_patch(kMergePatch, "[]", kObject));
}

TEST(ApplyPatch, MergesAndRemovesNothing) {
  const auto result = apply_patch(kApplyPatch, R"({"status":{"text":null,"more":1}})", kObject);
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)["status"]["text"], "t");
  EXPECT_EQ((*result)["status"]["more"], 1);
}

TEST(Patch, AnUnknownContentTypeIsUnsupported) {
  const auto result = apply_patch("application/strategic-merge-patch+json", "{}", kObject);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, 415);
}

}  // namespace
}  // namespace convoke::fakes
