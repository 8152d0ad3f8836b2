#include "reconcilers/workflow/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<api::Parameter> example() {
  const auto definition = specs::check(
      specs::spec({specs::step("a")}, {{"parameters",
                                        {{{"name", "version"}, {"required", true}},
                                         {{"name", "count"}, {"type", "Number"}, {"default", 3}},
                                         {{"name", "env"}, {"enum", {"dev", "prod"}}, {"default", "dev"}},
                                         {{"name", "flag"}, {"type", "Boolean"}},
                                         {{"name", "map"}, {"type", "Object"}},
                                         {{"name", "list"}, {"type", "Array"}}}}}));
  return definition ? (*definition)->spec.parameters : std::vector<api::Parameter>{};
}

std::string problem_with(const Json& given) {
  const auto result = resolve_parameters(example(), dump_json(given));
  return result ? "" : result.error().message;
}

TEST(Parameters, NamesEachOneThatIsWrong) {
  EXPECT_THAT(problem_with(Json::object()), HasSubstr("spec.parameters.version: is required (a String)"));
  EXPECT_THAT(problem_with({{"version", 1}}),
              HasSubstr("version: expected a value of type String, got a number"));
  EXPECT_THAT(problem_with({{"version", nullptr}}), HasSubstr("got null"));
  EXPECT_THAT(problem_with({{"version", "1"}, {"count", "3"}}),
              HasSubstr("count: expected a value of type Number"));
  EXPECT_THAT(problem_with({{"version", "1"}, {"env", "test"}}),
              HasSubstr("one of \"dev\", \"prod\", which the value given is not"));
  EXPECT_THAT(problem_with({{"version", "1"}, {"flag", 1}}), HasSubstr("type Boolean, got a number"));
  EXPECT_THAT(problem_with({{"version", "1"}, {"map", {1}}}), HasSubstr("type Object, got an array"));
  EXPECT_THAT(problem_with({{"version", "1"}, {"list", "x"}}), HasSubstr("type Array"));
  EXPECT_THAT(problem_with({{"version", "1"}, {"verison", "1"}}),
              HasSubstr("verison: the workflow has no such"));
  const auto two = problem_with({{"x", 1}});
  EXPECT_THAT(two, HasSubstr("version: is required"));
  EXPECT_THAT(two, HasSubstr("x: the workflow has no such parameter"));
}

TEST(Parameters, DoesNotRepeatAMegabyteInItsMessage) {
  Json given = {{"version", "1"}, {"env", std::string(1024 * 1024, 'x')}};
  EXPECT_LT(problem_with(given).size(), 1000u);
  Json many = Json::object();
  for (int i = 0; i < 1000; ++i) {
    many["unknown-" + std::to_string(i)] = i;
  }
  EXPECT_LT(problem_with(many).size(), 1000u);
}

TEST(Parameters, RefusesWhatIsNoObject) {
  EXPECT_FALSE(resolve_parameters(example(), "[1]"));
  EXPECT_FALSE(resolve_parameters(example(), "{"));
}

TEST(Parameters, PutsGivenValuesOverDefaults) {
  const auto result = resolve_parameters(example(), R"({"version": "1.2", "env": "prod", "list": [1]})");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*result, (Json{{"version", "1.2"}, {"count", 3}, {"env", "prod"}, {"list", {1}}}));
}

TEST(Parameters, NeedNotBeGivenAtAll) {
  const auto result = resolve_parameters({}, "");
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, Json::object());
}

}  // namespace
}  // namespace convoke::workflow
