#include "programs/kubectl-convoke/text_check.h"

#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

std::string problem_of(const std::string& text) {
  const auto problem = find_text_problem(text);
  return !problem
             ? ""
             : std::to_string(problem->line) + ":" + std::to_string(problem->column) + " " + problem->message;
}

TEST(TextCheck, TextMayHoldAllThatYamlAllows) {
  EXPECT_EQ(problem_of("a: \"\xC3\xA9\"\t# \xF0\x9F\x98\x80\r\n"), "");
  EXPECT_EQ(problem_of("\xEF\xBB\xBFkind: Task\n"), "");
  EXPECT_EQ(problem_of(""), "");
}

TEST(TextCheck, BytesThatAreNoTextHaveTheirPlace) {
  EXPECT_EQ(problem_of("a: 1\nb: caf\xE9\n"), "2:7 the byte 0xe9 is not UTF-8");
  EXPECT_EQ(problem_of("\xC3\xA9\xC3"), "1:2 the byte 0xc3 is not UTF-8");
  EXPECT_EQ(problem_of(std::string("\xFF\xFE") + std::string("k\0", 2)),
            "1:1 this is UTF-16: save it as UTF-8");
  EXPECT_EQ(problem_of("a: \x1b[31m"),
            "1:4 a control character (U+001b) is not allowed; write it as an escape in double quotes");
  EXPECT_EQ(problem_of(std::string("a\0", 2)).substr(0, 32), "1:2 a control character (U+0000)");
}

TEST(TextCheck, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(as_utf8("caf\xE9 \xC3\xA9"), "caf\xEF\xBF\xBD \xC3\xA9");
}

TEST(TextCheck, SurrogatesOfJsonBecomeOneCharacter) {
  EXPECT_EQ(join_surrogates(R"(["\ud83d\ude00", "\\ud83d\ude00", "\u00e9", "\ud83d"])"),
            R"(["\U0001f600", "\\ud83d\ude00", "\u00e9", "\ud83d"])");
}

}  // namespace
}  // namespace convoke::plugin
