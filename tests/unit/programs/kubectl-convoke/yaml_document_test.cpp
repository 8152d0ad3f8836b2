#include "programs/kubectl-convoke/yaml_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using ::testing::HasSubstr;

Json value_of(const std::string& text) {
  const auto documents = parse_yaml(text, "f");
  EXPECT_TRUE(documents) << documents.error().message;
  return documents->empty() ? Json() : documents->front().value;
}

TEST(YamlDocument, ValuesBecomeWhatKubectlMakesOfThem) {
  EXPECT_EQ(
      value_of("{a: 1, b: '1', c: 1.5, d: yes, e: ~, f: text, g: 0x10, h: 010, i: -3, j: 1.2.3}"),
      Json::parse(R"({"a": 1, "b": "1", "c": 1.5, "d": true, "e": null, "f": "text", "g": 16, "h": 8, "i": -3,
                            "j": "1.2.3"})"));
}

TEST(YamlDocument, AKeyThatYamlTakesForABooleanIsAProblem) {
  const auto documents = parse_yaml("x: n\n'n': 1\nn: 2\n", "f");
  ASSERT_TRUE(documents);
  EXPECT_EQ((*documents)[0].value, Json::parse(R"({"x": false, "n": 1, "false": 2})"));
  ASSERT_EQ((*documents)[0].problems.size(), 1U);
  EXPECT_EQ((*documents)[0].problems[0].position.line, 3);
}

TEST(YamlDocument, KnowsTheLineOfEveryValue) {
  const auto documents = parse_yaml("a:\n  b:\n  - c: 1\n  - d: 2\n---\ne: 3\n", "f");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2U);
  EXPECT_EQ((*documents)[0].position_of("/a/b/1/d").line, 4);
  EXPECT_EQ((*documents)[0].position_of("/a/b/1/d/not/there").line, 4);
  EXPECT_EQ((*documents)[1].position_of("/e").line, 6);
}

TEST(YamlDocument, JsonIsYamlToo) {
  EXPECT_EQ(value_of(R"({"a": [1, "x", null]})"), Json::parse(R"({"a": [1, "x", null]})"));
}

TEST(YamlDocument, EmptyDocumentsAreLeftOut) {
  const auto documents = parse_yaml("---\n# nothing\n---\na: 1\n---\n", "f");
  ASSERT_TRUE(documents);
  EXPECT_EQ(documents->size(), 1U);
}

TEST(YamlDocument, ABombOfAliasesEnds) {
  std::string text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'k'; ++c) {
    const std::string before = std::string("*") + static_cast<char>(c - 1);
    text += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) text += before + ", ";
    text += before + "]\n";
  }
  const auto documents = parse_yaml(text, "f");
  ASSERT_FALSE(documents);
  EXPECT_THAT(documents.error().message, HasSubstr("too large"));
}

TEST(YamlDocument, WhatIsNoYamlHasFileLineAndColumn) {
  const auto documents = parse_yaml("a: 1\nb: [1, 2\n", "manifest.yaml");
  ASSERT_FALSE(documents);
  EXPECT_THAT(documents.error().message, HasSubstr("manifest.yaml:3:1: this is not YAML"));
}

}  // namespace
}  // namespace convoke::plugin
