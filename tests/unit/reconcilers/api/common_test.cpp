#include "reconcilers/api/common.h"

#include <gtest/gtest.h>

namespace convoke::api {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr char kThen[] = "2026-01-31T12:00:00Z";
constexpr char kNow[] = "2026-01-31T12:05:00Z";

Condition ready(bool status, const std::string& reason) {
  return {condition::kReady, status, reason, "text", 4, ""};
}

TEST(CutText, KeepsWhatFits) {
  EXPECT_EQ(cut_text("", 0), "");
  EXPECT_EQ(cut_text("hello", 5), "hello");
}

TEST(CutText, NeverExceedsTheLimitAndNeverSplitsACharacter) {
  const std::string text = "Größe \U0001F680 日本語 und mehr";
  for (std::size_t limit = 0; limit < text.size(); ++limit) {
    const std::string cut = cut_text(text, limit);
    EXPECT_LE(cut.size(), limit);
    EXPECT_NO_THROW(Json(cut).dump()) << "not UTF-8 at limit " << limit;
  }
  EXPECT_EQ(cut_text("hello world", 8), "hello...");
}

TEST(CutText, OfNothingButContinuationBytesIsEmpty) {
  EXPECT_EQ(cut_text(std::string(100, '\x80'), 10), "...");
}

TEST(Conditions, NewOneStartsNow) {
  std::vector<Condition> conditions;
  set_condition(conditions, ready(false, "NoEligibleAgent"), kNow);
  ASSERT_EQ(conditions.size(), 1U);
  EXPECT_EQ(conditions[0].last_transition_time, kNow);
}

TEST(Conditions, TransitionTimeStaysWhileOnlyReasonAndMessageChange) {
  std::vector<Condition> conditions;
  set_condition(conditions, ready(false, "Queued"), kThen);
  set_condition(conditions, ready(false, "Running"), kNow);
  ASSERT_EQ(conditions.size(), 1U);
  EXPECT_EQ(conditions[0].reason, "Running");
  EXPECT_EQ(conditions[0].last_transition_time, kThen);
}

TEST(Conditions, TransitionTimeMovesWhenTheStatusFlips) {
  std::vector<Condition> conditions;
  set_condition(conditions, ready(false, "Running"), kThen);
  set_condition(conditions, ready(true, "Succeeded"), kNow);
  EXPECT_EQ(conditions[0].last_transition_time, kNow);
}

TEST(Conditions, LongMessageIsCutBeforeItIsCompared) {
  std::vector<Condition> conditions;
  Condition condition = ready(false, "Failed");
  condition.message = std::string(100'000, 'x');
  set_condition(conditions, condition, kThen);
  const std::vector<Condition> before = conditions;
  set_condition(conditions, condition, kNow);
  EXPECT_EQ(conditions, before);
  EXPECT_EQ(conditions[0].message.size(), kMaxConditionMessageBytes);
}

TEST(Conditions, AreFoundByType) {
  std::vector<Condition> conditions;
  EXPECT_EQ(find_condition(conditions, condition::kReady), nullptr);
  set_health(conditions, Health::Current, "Ready", "", 1, kNow);
  ASSERT_NE(find_condition(conditions, condition::kStalled), nullptr);
  EXPECT_FALSE(find_condition(conditions, condition::kStalled)->status);
}

TEST(Conditions, InJsonAlwaysHaveAReason) {
  EXPECT_EQ(
      conditions_to_json({{condition::kReady, false, "", "", 0, kNow}}),
      Json::array(
          {{{"type", "Ready"}, {"status", "False"}, {"reason", "Ready"}, {"lastTransitionTime", kNow}}}));
}

struct HealthCase {
  Health health;
  bool ready, reconciling, stalled;
};

class HealthTriple : public testing::TestWithParam<HealthCase> {};

TEST_P(HealthTriple, IsWrittenAlikeForEveryKind) {
  std::vector<Condition> conditions;
  set_health(conditions, GetParam().health, "Because", "why", 7, kNow);
  ASSERT_EQ(conditions.size(), 3U);
  EXPECT_EQ(find_condition(conditions, condition::kReady)->status, GetParam().ready);
  EXPECT_EQ(find_condition(conditions, condition::kReady)->message, "why");
  EXPECT_EQ(find_condition(conditions, condition::kReconciling)->status, GetParam().reconciling);
  EXPECT_EQ(find_condition(conditions, condition::kStalled)->status, GetParam().stalled);
  for (const Condition& condition : conditions) {
    EXPECT_EQ(condition.reason, "Because");
    EXPECT_EQ(condition.observed_generation, 7);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryState, HealthTriple,
                         testing::Values(HealthCase{Health::InProgress, false, true, false},
                                         HealthCase{Health::Current, true, false, false},
                                         HealthCase{Health::Failed, false, false, true}));

TEST(RetryPolicy, WithoutCausesCoversNothing) {
  RetryPolicy retry;
  retry.on.clear();
  EXPECT_FALSE(retry.covers(RetryOn::Failed));
  EXPECT_TRUE(RetryPolicy{}.covers(RetryOn::AgentLost));
}

TEST(RetryPolicy, DoublesUpToItsMaximum) {
  const RetryPolicy retry;
  EXPECT_EQ(retry.delay(0), seconds(5));
  EXPECT_EQ(retry.delay(1), seconds(5));
  EXPECT_EQ(retry.delay(2), seconds(10));
  EXPECT_EQ(retry.delay(4), seconds(40));
  EXPECT_EQ(retry.delay(5), seconds(60));
  EXPECT_EQ(retry.delay(1'000'000'000), seconds(60));
}

TEST(RetryPolicy, DoesNotOverflowWithTheLongestDelays) {
  RetryPolicy retry;
  retry.backoff = {BackoffType::Exponential, hours(1), Duration::max()};
  EXPECT_EQ(retry.delay(1000), Duration::max());
  retry.backoff.base = Duration::zero();
  EXPECT_EQ(retry.delay(1'000'000'000), Duration::zero());
}

TEST(RetryPolicy, FixedDelayStaysTheSame) {
  RetryPolicy retry;
  retry.backoff = {BackoffType::Fixed, seconds(90), seconds(60)};
  EXPECT_EQ(retry.delay(1), seconds(90));
  EXPECT_EQ(retry.delay(7), seconds(90));
}

using Labels = std::map<std::string, std::string>;

TEST(LabelSelector, WithUnknownOperatorSelectsNothing) {
  LabelSelector selector;
  selector.match_expressions = {{"zone", "Like", {"a"}}};
  EXPECT_FALSE(selector.matches({}));
  EXPECT_FALSE(selector.matches({{"zone", "a"}}));
}

TEST(LabelSelector, MatchesAsKubernetesDoes) {
  LabelSelector selector;
  EXPECT_TRUE(selector.empty());
  EXPECT_TRUE(selector.matches({}));
  selector.match_labels = {{"tier", "gpu"}};
  EXPECT_FALSE(selector.matches({}));
  EXPECT_FALSE(selector.matches({{"tier", "cpu"}}));
  EXPECT_TRUE(selector.matches({{"tier", "gpu"}, {"zone", "a"}}));

  const auto matches = [](const LabelSelectorRequirement& requirement, const Labels& labels) {
    LabelSelector one;
    one.match_expressions = {requirement};
    return one.matches(labels);
  };
  EXPECT_TRUE(matches({"zone", "In", {"a", "b"}}, {{"zone", "b"}}));
  EXPECT_FALSE(matches({"zone", "In", {"a", "b"}}, {{"zone", "c"}}));
  EXPECT_FALSE(matches({"zone", "In", {"a", "b"}}, {}));
  EXPECT_TRUE(matches({"zone", "NotIn", {"a"}}, {}));
  EXPECT_TRUE(matches({"zone", "NotIn", {"a"}}, {{"zone", "b"}}));
  EXPECT_FALSE(matches({"zone", "NotIn", {"a"}}, {{"zone", "a"}}));
  EXPECT_TRUE(matches({"zone", "Exists", {}}, {{"zone", ""}}));
  EXPECT_FALSE(matches({"zone", "Exists", {}}, {}));
  EXPECT_TRUE(matches({"zone", "DoesNotExist", {}}, {}));
  EXPECT_FALSE(matches({"zone", "DoesNotExist", {}}, {{"zone", ""}}));
}

TEST(LabelSelector, DescribesItselfAsKubectlWould) {
  LabelSelector selector;
  EXPECT_EQ(selector.describe(), "");
  selector.match_labels = {{"tier", "gpu"}};
  selector.match_expressions = {{"zone", "In", {"a", "b"}},
                                {"os", "NotIn", {"windows"}},
                                {"fast", "Exists", {}},
                                {"old", "DoesNotExist", {}}};
  EXPECT_EQ(selector.describe(), "tier=gpu, zone in (a, b), os notin (windows), fast, !old");
}

}  // namespace
}  // namespace convoke::api
