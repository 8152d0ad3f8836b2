#include "controller/kube/json.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke {
namespace {

using testing::HasSubstr;

TEST(ParseJson, SaysAtWhichByteTheTextIsWrong) {
  const auto parsed = parse_json(R"({"a": 1,})");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::Invalid);
  EXPECT_THAT(parsed.error().message, HasSubstr("byte 9"));
  EXPECT_THAT(parsed.error().message, HasSubstr("unexpected '}'"));
}

TEST(ParseJson, RefusesWhatIsNotOneDocument) {
  for (const char* text : {"", " ", "{", "[1", "{} {}", "nul", "\"\xff\"", "1e999", "\"\x01\""}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

TEST(ParseJson, RefusesHostileNestingWithoutOverflowingTheStack) {
  for (const char* opening : {"[", "{\"a\":"}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += opening;
    const auto parsed = parse_json(text);
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error().message, HasSubstr("deeper than 200"));
  }
}

TEST(ParseJson, Accepts200Levels) {
  EXPECT_TRUE(parse_json(std::string(200, '[') + std::string(200, ']')));
  EXPECT_FALSE(parse_json(std::string(201, '[') + std::string(201, ']')));
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[],";
  EXPECT_TRUE(parse_json(wide + "{}]"));
}

TEST(ParseJson, ReadsEveryKindOfValue) {
  const auto parsed =
      parse_json(R"({"s":"ü","i":-1,"u":18446744073709551615,"f":1.5,"b":true,"n":null,"a":[]})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->at("s"), "ü");
  EXPECT_EQ(parsed->at("u").get<std::uint64_t>(), 18446744073709551615U);
  EXPECT_TRUE(parsed->at("n").is_null());
}

TEST(DumpJson, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(dump_json({{"a", "x\xffy"}}), "{\"a\":\"x\xEF\xBF\xBDy\"}");
}

}  // namespace
}  // namespace convoke
