#include "controller/kube/pruned_json.h"

#include <string>

#include <gtest/gtest.h>

namespace convoke::kube {
namespace {

std::string nested(int levels, const std::string& innermost) {
  std::string text;
  std::string end;
  for (int i = 0; i < levels; ++i) {
    text += i % 2 == 0 ? "{\"a\":" : "[";
    end.insert(0, i % 2 == 0 ? "}" : "]");
  }
  return text + innermost + end;
}

TEST(PrunedJson, WhatIsNotDeepIsReadAsItIs) {
  const std::string text = R"({"a":[1,-2,1.5,true,null,"x",{"b":[]}]})";
  EXPECT_EQ(dump_json(*parse_pruned_json(text)), text);
  EXPECT_EQ(*parse_pruned_json(nested(200, "7")), *parse_json(nested(200, "7")));
}

TEST(PrunedJson, WhatLiesTooDeepIsReplacedByNull) {
  EXPECT_EQ(dump_json(*parse_pruned_json(nested(201, "7"))), nested(200, "null"));
  EXPECT_EQ(dump_json(*parse_pruned_json(nested(9'999, R"({"x":[1,{"y":true}],"z":1.5})"))),
            nested(200, "null"));
}

TEST(PrunedJson, TheRestOfTheDocumentIsThere) {
  const auto list =
      parse_pruned_json(R"({"items":[1,)" + nested(5000, "-1") + R"(,2,{"c":"d"}],"more":true})");
  ASSERT_TRUE(list);
  EXPECT_EQ((*list)["items"][2], 2);
  EXPECT_EQ((*list)["items"][3]["c"], "d");
  EXPECT_EQ((*list)["more"], true);
}

TEST(PrunedJson, WhatIsNoJsonIsRefused) {
  for (const std::string& text :
       {std::string("{"), std::string("\xff"), std::string(10'000, '['), nested(300, "nul")}) {
    EXPECT_FALSE(parse_pruned_json(text));
  }
}

TEST(PrunedJson, Depth) {
  EXPECT_FALSE(is_deeper_than(7, 0));
  EXPECT_TRUE(is_deeper_than(Json::array(), 0));
  EXPECT_FALSE(is_deeper_than(*parse_json(nested(150, "7")), 150));
  EXPECT_TRUE(is_deeper_than(*parse_json(nested(151, "7")), 150));
}

}  // namespace
}  // namespace convoke::kube
