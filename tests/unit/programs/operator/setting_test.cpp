#include "programs/operator/setting.h"

#include <gtest/gtest.h>

namespace convoke::programs {
namespace {

using namespace std::chrono_literals;

std::string mistake(const Setting& setting, const std::string& text) {
  const Status status = setting.set(text);
  return status ? "" : status.error().message;
}

TEST(Setting, WholeNumberRefusesAllElse) {
  int value = 7;
  const auto setting = int_setting("workers.task", "", value, 1, 256);
  EXPECT_EQ(mistake(setting, "many"), "\"many\" is not a whole number");
  EXPECT_EQ(mistake(setting, "1.5"), "\"1.5\" is not a whole number");
  EXPECT_EQ(mistake(setting, ""), "\"\" is not a whole number");
  EXPECT_EQ(mistake(setting, "0"), "0 is not between 1 and 256");
  EXPECT_EQ(mistake(setting, "99999999999"), "\"99999999999\" is not a whole number");
  EXPECT_EQ(value, 7);
  EXPECT_EQ(mistake(setting, "12"), "");
  EXPECT_EQ(value, 12);
}

TEST(Setting, NumberRefusesWhatIsNotFinite) {
  double value = 7;
  const auto setting = number_setting("events.perSecond", "", value, 0.1, 100);
  EXPECT_EQ(mistake(setting, "inf"), "\"inf\" is not a number");
  EXPECT_EQ(mistake(setting, "nan"), "\"nan\" is not a number");
  EXPECT_EQ(mistake(setting, "0"), "0 is not between 0.1 and 100");
  EXPECT_EQ(value, 7);
  EXPECT_EQ(mistake(setting, "0.5"), "");
  EXPECT_EQ(value, 0.5);
}

TEST(Setting, DurationNeedsAUnitAndItsBounds) {
  Duration value = 1s;
  const auto setting = duration_setting("drain", "", value, 0s, 1h);
  EXPECT_EQ(mistake(setting, "30"), "\"30\" is not a duration such as 90s, 5m or 1h30m");
  EXPECT_EQ(mistake(setting, "2h"), "2h is not between 0s and 1h");
  EXPECT_EQ(value, 1s);
  EXPECT_EQ(mistake(setting, "1m30s"), "");
  EXPECT_EQ(value, 90s);
}

TEST(Setting, BooleanIsTrueOrFalseAndNothingElse) {
  bool value = true;
  const auto setting = bool_setting("leaderElection.enabled", "", value);
  EXPECT_EQ(mistake(setting, "no"), "\"no\" is neither true nor false");
  EXPECT_TRUE(value);
  EXPECT_EQ(mistake(setting, "false"), "");
  EXPECT_FALSE(value);
}

TEST(Setting, ChoiceNamesTheWordsAndIgnoresCase) {
  int value = 1;
  const auto setting = choice_setting<int>("log.format", "", value, {{"Json", 1}, {"Text", 2}});
  EXPECT_EQ(setting.type, "Json|Text");
  EXPECT_EQ(mistake(setting, "xml"), "\"xml\" is none of Json, Text");
  EXPECT_EQ(value, 1);
  EXPECT_EQ(mistake(setting, "text"), "");
  EXPECT_EQ(value, 2);
  EXPECT_EQ(setting.get(), "Text");
}

TEST(Setting, WeightsArePositiveNumbersByName) {
  std::map<std::string, double> weights;
  const Setting setting = weights_setting("a.b", "help", weights);
  EXPECT_TRUE(setting.set("team-b=0.5,team-a=3"));
  EXPECT_EQ(weights, (std::map<std::string, double>{{"team-a", 3}, {"team-b", 0.5}}));
  EXPECT_EQ(setting.get(), "team-a=3,team-b=0.5");
  for (const char* wrong :
       {"team-a", "=3", "team-a=", "team-a=x", "a=0", "a=-1", "a=nan", "a=inf", "a=1000", "a=1,a=2"}) {
    EXPECT_FALSE(setting.set(wrong)) << wrong;
  }
  EXPECT_EQ(setting.get(), "team-a=3,team-b=0.5");
  EXPECT_TRUE(setting.set(""));
  EXPECT_TRUE(weights.empty());
}

TEST(Setting, FlagIsThePathInKebabCase) {
  std::string value;
  EXPECT_EQ(text_setting("leaderElection.leaseDuration", "", value).flag(),
            "--leader-election-lease-duration");
  EXPECT_EQ(text_setting("drain", "", value).flag(), "--drain");
}

}  // namespace
}  // namespace convoke::programs
