#include "reconcilers/expression/template.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::expression {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

JsonScope example_scope() {
  return JsonScope(Json::parse(R"json({
    "params": {"version": "1.2", "count": 3, "flag": true, "nothing": null, "list": [10, {"deep": "x"}],
               "map": {"a-b": 1}, "ü": "unicode", "evil": "$(params.version)"},
    "steps": {"unit-test": {"phase": "Succeeded", "outputs": {"passed": 7}}}
  })json"));
}

Result<Json> expand_text(const std::string& text) {
  return expand(Json(text), example_scope(), "spec.x");
}

std::string message_of(const Result<Json>& result) {
  return result ? "" : result.error().message;
}

struct RefusedText {
  std::string text;
  std::string reason;
  std::string message;
};

TEST(Template, RefusesWhatItCannotReadAndSaysWhere) {
  const std::vector<RefusedText> table = {
      {"$(", "InvalidTemplate", "spec.x: at byte 2: the placeholder that starts with \"$(\" is not closed"},
      {"$()", "InvalidTemplate", "at byte 2: in this placeholder, line 1, column 1: expected a value"},
      {"$(params", "InvalidTemplate", "is not closed"},
      {"$(size(params)", "InvalidTemplate", "is not closed"},
      {"$(params['a)", "InvalidTemplate", "is not closed"},
      {"$(params.)", "InvalidTemplate", "column 8: expected the name of a field"},
      {"$(params..a)", "InvalidTemplate", "expected the name of a field"},
      {"a $(params.f(1))", "InvalidTemplate",
       "at byte 4: in this placeholder, line 1, column 8: there is no function f()"},
      {"$(params['a'x])", "InvalidTemplate", "expected \"]\""},
      {"$(params.list[99999999999999999999])", "InvalidTemplate", "an integer is between"},
      {"a $(date +%s) b", "InvalidTemplate", "$$("},
      {"$(param.version)", "UnknownName",
       "spec.x: $(param.version): line 1, column 1: there is no name \"param\""},
      {"$(params.versoin)", "UnknownName", "params has no \"versoin\"; there are count, evil"},
      {"$(params.version.major)", "UnknownName", "params.version is a string"},
      {"$(params.nothing.x)", "UnknownName", "params.nothing is a null"},
      {"$(params.list[2])", "UnknownName", "params.list is a list of 2 and has no element 2"},
      {"$(params.list.first)", "UnknownName", "params.list is a list of 2 and has no \"first\""},
      {"$(params.list[-1])", "UnknownName", "has no element -1"},
      {"$(steps.build.outputs)", "UnknownName", "steps has no \"build\""},
      {"$(params.version + 1)", "ExpressionFailed", "no operator \"+\" for string and int"},
      {"$(lists.range(1000).map(x, lists.range(1000)))", "ExpressionTooExpensive", "it was stopped"},
  };
  for (const auto& row : table) {
    const auto result = expand_text(row.text);
    ASSERT_FALSE(result) << row.text;
    EXPECT_EQ(result.error().code, ErrorCode::Invalid) << row.text;
    EXPECT_EQ(result.error().reason, row.reason) << row.text;
    EXPECT_THAT(result.error().message, HasSubstr(row.message)) << row.text;
  }
}

TEST(Template, ExpandsText) {
  const std::vector<std::pair<std::string, Json>> table = {
      {"", ""},
      {"plain", "plain"},
      {"cost: 5$", "cost: 5$"},
      {"$HOME $$ ${x} (y)", "$HOME $$ ${x} (y)"},
      {"$$(date)", "$(date)"},
      {"a$$(b$$(c", "a$(b$(c"},
      {"v$(params.version)", "v1.2"},
      {"$(params.version)-$(params.count)", "1.2-3"},
      {"$( params . version )", "1.2"},
      {"$(params['version'])$(params[\"count\"])", "1.23"},
      {"$(params.map['a-b'])!", "1!"},
      {"$(params['ü'])", "unicode"},
      {"f=$(params.flag) n=$(params.nothing)", "f=true n=null"},
      {"l=$(params.list)", R"(l=[10,{"deep":"x"}])"},
      {"$(steps['unit-test'].outputs.passed) passed", "7 passed"},
      {"$$($(params.count)", "$(3"},
      {"$(params.count + 1) of $(size(params.list))", "4 of 2"},
      {"$(')' + \")\" + r'\\' + '\\'')')", "))\\'')"},
      {"$(params.flag ? ('yes') : \"no\")", "yes"},
      {"$(steps['unit-test'].outputs.?missing.orValue('none'))", "none"},
      {"$( // )\n params.version)", "1.2"},
  };
  for (const auto& [text, expected] : table) {
    const auto result = expand_text(text);
    ASSERT_TRUE(result) << text << ": " << message_of(result);
    EXPECT_EQ(*result, expected) << text;
  }
}

TEST(Template, KeepsTheTypeOfALonePlaceholder) {
  EXPECT_EQ(*expand_text("$(params.count)"), Json(3));
  EXPECT_EQ(*expand_text("$(params.flag)"), Json(true));
  EXPECT_EQ(*expand_text("$(params.nothing)"), Json(nullptr));
  EXPECT_EQ(*expand_text("$(params.list)"), Json::parse(R"([10, {"deep": "x"}])"));
  EXPECT_EQ(*expand_text("$(params.list[1].deep)"), Json("x"));
  EXPECT_EQ(*expand_text("$(params.count * 2)"), Json(6));
  EXPECT_EQ(*expand_text("$(params.list.map(x, type(x) == int))"), Json::parse("[true, false]"));
}

TEST(Template, NeverExpandsAValueASecondTime) {
  EXPECT_EQ(*expand_text("$(params.evil)"), Json("$(params.version)"));
  EXPECT_EQ(*expand_text("<$(params.evil)>"), Json("<$(params.version)>"));
}

TEST(Template, ExpandsEveryStringOfADocumentButNoKey) {
  const auto document =
      Json::parse(R"json({"$(params.x)": 1, "a": ["$(params.count)", {"b": "n$(params.count)"}]})json");
  const auto result = expand(document, example_scope(), "spec");
  ASSERT_TRUE(result) << message_of(result);
  EXPECT_EQ(*result, Json::parse(R"json({"$(params.x)": 1, "a": [3, {"b": "n3"}]})json"));
}

TEST(Template, NamesThePathOfTheStringThatIsWrong) {
  const auto document = Json::parse(R"json({"a": ["ok", {"b": "$(params.missing)"}]})json");
  EXPECT_THAT(message_of(expand(document, example_scope(), "spec.task")), HasSubstr("spec.task.a[1].b: "));
  const auto found = references(Json::parse(R"json({"a": ["$("]})json"), "spec.task");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("spec.task.a[0]: at byte 2"));
}

TEST(Template, ListsReferencesWithTheirPaths) {
  const auto found = references(Json::parse(R"json({"a": "$(params.version)",
      "b": ["x $(steps['unit-test'].outputs[0] + run.name) $$(no)"]})json"),
                                "spec");
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3u);
  EXPECT_THAT((*found)[0].path, ElementsAre("params", "version"));
  EXPECT_THAT((*found)[1].path, ElementsAre("steps", "unit-test", "outputs", "0"));
  EXPECT_EQ((*found)[1].text, "steps['unit-test'].outputs[0] + run.name");
  EXPECT_THAT((*found)[2].path, ElementsAre("run", "name"));
}

TEST(Template, RefusesResultsThatGrowTooLarge) {
  const JsonScope scope(Json{{"params", {{"big", std::string(1000, 'x')}}}});
  Json document = Json::array();
  for (int i = 0; i < 100; ++i) {
    document.push_back("$(params.big)$(params.big)");
  }
  const auto result = expand(document, scope, "spec", 10'000);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, "TemplateTooLarge");
  EXPECT_THAT(result.error().message, HasSubstr("spec[5]: expanded, this is larger than 10000 bytes"));
}

TEST(Template, RefusesHostileDepthAndLengthWithoutRecursingAway) {
  Json deep = "$(params.version)";
  for (int i = 0; i < 5000; ++i) {
    deep = Json::array({std::move(deep)});
  }
  EXPECT_THAT(message_of(expand(deep, example_scope(), "spec")), HasSubstr("nested deeper than 200 levels"));
  EXPECT_FALSE(references(deep, "spec"));

  std::string long_path = "$(params";
  for (int i = 0; i < 2000; ++i) {
    long_path += ".a";
  }
  EXPECT_THAT(message_of(expand_text(long_path + ")")), HasSubstr("nested deeper than 250 levels"));
  EXPECT_THAT(message_of(expand_text("$(" + std::string(100'000, 'a') + ")")),
              HasSubstr("an expression has at most 16384 bytes"));
}

TEST(Template, BoundsWhatAllPlaceholdersTogetherMayCost) {
  Json document = Json::array();
  for (int i = 0; i < 1000; ++i) {
    document.push_back("$(lists.range(5000).all(x, x >= 0))");
  }
  const auto result = expand(document, example_scope(), "spec");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, "ExpressionTooExpensive");
}

TEST(Template, SurvivesBytesThatAreNotUtf8) {
  const JsonScope scope(Json{{"params", {{"bad", Json::array({std::string("\xff\xfe")})}}}});
  const auto result = expand(Json("x$(params.bad)"), scope, "spec");
  ASSERT_TRUE(result) << message_of(result);
  EXPECT_THAT(result->get<std::string>(), HasSubstr("x["));
}

TEST(JsonScope, KnowsOnlyItsOwnMembers) {
  const auto scope = example_scope();
  EXPECT_EQ(scope.find("event"), nullptr);
  EXPECT_NE(scope.find("params"), nullptr);
  EXPECT_EQ(JsonScope(Json("not an object")).find("params"), nullptr);
}

}  // namespace
}  // namespace convoke::expression
