#include "tests/fakes/api_selector.h"

#include <gtest/gtest.h>

namespace convoke::fakes {
namespace {

bool labels_match(const std::string& selector, const Json& labels) {
  const auto requirements = parse_label_selector(selector);
  EXPECT_TRUE(requirements) << selector;
  return Selector{"", requirements.value(), {}}.matches({{"metadata", {{"labels", labels}}}});
}

TEST(LabelSelector, RefusesWhatItCannotRead) {
  for (const char* text : {"a=b,", "=b", "a in b c", "a b"}) {
    const auto requirements = parse_label_selector(text);
    ASSERT_FALSE(requirements) << text;
    EXPECT_EQ(requirements.error().code, 400);
  }
}

TEST(LabelSelector, MatchesAsKubernetesDoes) {
  const Json labels = {{"app", "web"}, {"tier", "front"}};
  EXPECT_TRUE(labels_match("", labels));
  EXPECT_TRUE(labels_match("app=web", labels));
  EXPECT_TRUE(labels_match("app==web,tier=front", labels));
  EXPECT_FALSE(labels_match("app=web,tier=back", labels));
  EXPECT_FALSE(labels_match("app!=web", labels));
  EXPECT_TRUE(labels_match("absent!=web", labels));
  EXPECT_TRUE(labels_match("app in (db, web)", labels));
  EXPECT_FALSE(labels_match("app notin (db,web),tier", labels));
  EXPECT_TRUE(labels_match("absent notin (a)", labels));
  EXPECT_TRUE(labels_match("app", labels));
  EXPECT_FALSE(labels_match("!app", labels));
  EXPECT_TRUE(labels_match("!absent", labels));
}

TEST(FieldSelector, RefusesAFieldThatIsNotSelectable) {
  const auto requirements = parse_field_selector("spec.secret=a", {"metadata.name"});
  ASSERT_FALSE(requirements);
  EXPECT_EQ(requirements.error().code, 400);
  EXPECT_NE(requirements.error().message.find("spec.secret"), std::string::npos);
  EXPECT_FALSE(parse_field_selector("metadata.name", {"metadata.name"}));
}

TEST(FieldSelector, AnAbsentFieldIsTheEmptyString) {
  const Json object = {{"metadata", {{"name", "a"}}}, {"status", {{"phase", "Queued"}}}};
  const auto matches = [&](const std::string& text) {
    return Selector{
        "", {}, parse_field_selector(text, {"metadata.name", "status.phase", "status.agentName"}).value()}
        .matches(object);
  };
  EXPECT_TRUE(matches("metadata.name=a,status.phase=Queued"));
  EXPECT_FALSE(matches("status.phase!=Queued"));
  EXPECT_TRUE(matches("status.agentName="));
  EXPECT_FALSE(matches("status.agentName=b"));
}

TEST(Selector, TheNamespaceCountsToo) {
  const Json object = {{"metadata", {{"namespace", "a"}}}};
  EXPECT_TRUE((Selector{"a", {}, {}}.matches(object)));
  EXPECT_FALSE((Selector{"b", {}, {}}.matches(object)));
}

}  // namespace
}  // namespace convoke::fakes
