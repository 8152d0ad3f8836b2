#include "programs/kubectl-convoke/yaml_document.h"

#include <sstream>

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
      value_of("{a: 1, b: '1', c: 1.5, d: yes, e: ~, f: text, g: 0x10, h: 010, i: -3, j: 1.2.3, k: 3.0}"),
      Json::parse(R"({"a": 1, "b": "1", "c": 1.5, "d": true, "e": null, "f": "text", "g": 16, "h": 8, "i": -3,
                            "j": "1.2.3", "k": 3})"));
  EXPECT_TRUE(value_of("{k: 3.0}")["k"].is_number_integer());
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

// "a: &a {k0: 0, ...}", then many maps of which each is merged with it.
std::string merges_of(const std::string& list, int merges) {
  std::string text = list + "\nb:\n";
  for (int i = 0; i < merges; ++i) text += "- {<<: *a, x: 1}\n";
  return text;
}

TEST(YamlDocument, WhatIsMergedAgainAndAgainCountsThoughNothingComesOfIt) {
  std::string same;
  std::string maps;
  std::string no_keys = "a: &a\n";
  for (int i = 0; i < 1000; ++i) {
    same += "x: 1, ";
    maps += "{}, ";
    no_keys += "  ? [" + std::to_string(i) + "]\n  : 1\n";
  }
  for (const auto& text : {merges_of("a: &a {" + same + "}", 1000), merges_of("a: &a [" + maps + "]", 1000),
                           merges_of("a: &a [" + maps + "1]", 1000), merges_of(no_keys, 1000)}) {
    const auto read = read_yaml(text);
    ASSERT_FALSE(read.problems.empty());
    EXPECT_THAT(read.problems[0].message, HasSubstr("too large"));
  }
  EXPECT_TRUE(read_yaml(merges_of("a: &a [" + maps + "]", 10)).problems.empty());
}

TEST(YamlDocument, LongPathsAndTextsThatMultiplyAreTooLarge) {
  const std::string long_text(1'000'000, 'k');
  std::string items;
  for (int i = 0; i < 100; ++i) items += "x, ";
  EXPECT_FALSE(parse_yaml("? " + long_text + "\n: [" + items + "]\n", "f"));
  items.clear();
  for (int i = 0; i < 100; ++i) items += "*a, ";
  EXPECT_FALSE(parse_yaml("a: &a " + long_text + "\nb: [" + items + "]\n", "f"));
  EXPECT_TRUE(parse_yaml("a: &a " + long_text + "\nb: [*a, *a]\n", "f"));
}

TEST(YamlDocument, MergeKeysMerge) {
  EXPECT_EQ(value_of("a: &a {x: 1, k: 1}\nb: &b {k: 2, z: 2}\nc: {<<: *a, k: 3}\nd: {k: 3, <<: [*a, *b]}\n"
                     "e: {<<: {<<: *a, x: 5}}\nf: {'<<': *a}\n"),
            Json::parse(R"({"a": {"x": 1, "k": 1}, "b": {"k": 2, "z": 2}, "c": {"x": 1, "k": 3},
                            "d": {"x": 1, "k": 3, "z": 2}, "e": {"x": 5, "k": 1}, "f": {"<<": {"x": 1, "k": 1}}})"));
  const auto read = read_yaml("a: 1\n<<: [1]\n");
  ASSERT_EQ(read.documents.size(), 1U);
  ASSERT_EQ(read.documents[0].problems.size(), 1U);
  EXPECT_THAT(read.documents[0].problems[0].message, HasSubstr("only a map"));
}

TEST(YamlDocument, AMapThatMergesItselfEnds) {
  EXPECT_FALSE(parse_yaml("a: &a {<<: *a}\n", "f"));
  EXPECT_FALSE(parse_yaml("a: &a {b: {<<: [*a, *a]}}\n", "f"));
}

TEST(YamlDocument, EachDocumentIsReadByItself) {
  const auto read = read_yaml("a: 1\n---\nb: {c\n--- {d: 1}\n---\ne: 1\n");
  ASSERT_EQ(read.documents.size(), 3U);
  EXPECT_EQ(read.documents[1].value, Json::parse(R"({"d": 1})"));
  EXPECT_EQ(read.documents[2].position_of("/e").line, 6);
  ASSERT_EQ(read.problems.size(), 1U);
  EXPECT_EQ(read.problems[0].position.line, 4);
}

TEST(YamlDocument, JsonMayHaveSurrogates) {
  EXPECT_EQ(value_of(R"({"a": "\ud83d\ude00"})"), Json::parse(R"({"a": "\ud83d\ude00"})"));
}

TEST(YamlDocument, ListsOfAKindAreListsToo) {
  const auto read = read_yaml("{kind: WorkflowList, items: [{a: 1}, {b: 2}]}");
  EXPECT_EQ(read.documents.size(), 2U);
}

TEST(YamlDocument, AFolderIsAnError) {
  std::istringstream in;
  const auto text = read_file("/tmp", in);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message, "/tmp is a folder");
  EXPECT_FALSE(read_file("/no/such/file", in));
  const auto empty = read_file("-", in);
  ASSERT_TRUE(empty);
  EXPECT_EQ(*empty, "");
}

TEST(YamlDocument, WhatIsNoYamlHasFileLineAndColumn) {
  const auto documents = parse_yaml("a: 1\nb: [1, 2\n", "manifest.yaml");
  ASSERT_FALSE(documents);
  EXPECT_THAT(documents.error().message, HasSubstr("manifest.yaml:3:1: this is not YAML"));
}

}  // namespace
}  // namespace convoke::plugin
