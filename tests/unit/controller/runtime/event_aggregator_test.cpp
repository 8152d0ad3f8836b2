#include "controller/runtime/event_aggregator.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;

const kube::ResourceType kNamespacedThing{"convoke.dev", "v1alpha1", "things", "Thing", true};
const kube::ResourceType kClusterThing{"convoke.dev", "v1alpha1", "clusterthings", "ClusterThing", false};

Occurrence happened(const std::string& name, const std::string& note, EventType type = EventType::Normal) {
  return {{kNamespacedThing, "team", name, "uid-" + name, "7"}, type, "Assigned", "Assign", note};
}

class EventAggregatorTest : public testing::Test {
 protected:
  EventAggregatorTest() { make({}, {}); }

  void make(EventOptions options, EventLimits limits) {
    options.reporting_instance = "host-1";
    aggregator_.emplace(options, limits, now_);
  }
  Instant instant() const { return {now_, WallTime(1'767'225'600s) + (now_ - kStart)}; }
  std::optional<EventDrop> add(Occurrence occurrence) {
    return aggregator_->add(std::move(occurrence), instant());
  }
  std::optional<OutgoingEvent> next() { return aggregator_->next(now_, false); }
  // The notes of all that is due now, in order.
  std::vector<std::string> notes_due() {
    std::vector<std::string> notes;
    while (const auto event = next()) notes.push_back(event->object["note"]);
    return notes;
  }

  static constexpr MonotonicTime kStart{1h};
  MonotonicTime now_ = kStart;
  std::optional<EventAggregator> aggregator_;
};

using Notes = std::vector<std::string>;

TEST_F(EventAggregatorTest, FullBufferDropsNormalEventsAndKeepsWarnings) {
  make({}, {.waiting = 2});
  EXPECT_FALSE(add(happened("a", "one")));
  EXPECT_FALSE(add(happened("b", "two")));
  EXPECT_EQ(add(happened("c", "three")), EventDrop::BufferFull);
  EXPECT_EQ(add(happened("d", "four", EventType::Warning)), EventDrop::BufferFull);
  EXPECT_EQ(add(happened("e", "five", EventType::Warning)), EventDrop::BufferFull);
  EXPECT_EQ(add(happened("f", "six", EventType::Warning)), EventDrop::BufferFull);
  now_ += 1s;
  EXPECT_EQ(notes_due(), (Notes{"four", "five"}));
}

TEST_F(EventAggregatorTest, OneObjectThatFloodsIsHeldBackAndOthersAreNot) {
  make({.burst_per_object = 2}, {});
  EXPECT_FALSE(add(happened("a", "1")));
  EXPECT_FALSE(add(happened("a", "2")));
  EXPECT_EQ(add(happened("a", "3")), EventDrop::ObjectRate);
  EXPECT_FALSE(add(happened("b", "1")));
  now_ += 300s;
  EXPECT_FALSE(add(happened("a", "4")));
}

TEST_F(EventAggregatorTest, OtherRatesHoldFromThenOnForObjectsThatAreKnownToo) {
  make({.events_per_second = 1, .burst = 1, .burst_per_object = 1}, {});
  EXPECT_FALSE(add(happened("a", "1", EventType::Warning)));
  EXPECT_EQ(add(happened("a", "2", EventType::Warning)), EventDrop::ObjectRate);
  aggregator_->set_rates({.events_per_second = 1, .burst = 3, .burst_per_object = 2}, now_);
  EXPECT_FALSE(add(happened("a", "2", EventType::Warning)));
  EXPECT_FALSE(add(happened("b", "3", EventType::Warning)));
  EXPECT_EQ(notes_due(), (Notes{"1", "2", "3"}));
}

TEST_F(EventAggregatorTest, AllTogetherAreLimitedAndWait) {
  make({.events_per_second = 2, .burst = 2}, {});
  for (const char* name : {"a", "b", "c", "d"}) add(happened(name, name, EventType::Warning));
  EXPECT_EQ(notes_due(), (Notes{"a", "b"}));
  EXPECT_EQ(aggregator_->next_due(now_, false), now_ + 500ms);
  now_ += 1s;
  EXPECT_EQ(notes_due(), (Notes{"c", "d"}));
  EXPECT_FALSE(aggregator_->next_due(now_, false));
}

TEST_F(EventAggregatorTest, FailedEventIsNewWhenItHappensAgain) {
  add(happened("a", "note", EventType::Warning));
  aggregator_->failed(next()->id);
  now_ += 1s;
  add(happened("a", "note", EventType::Warning));
  const auto again = next();
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->first);
  EXPECT_FALSE(again->object.contains("series"));
}

TEST_F(EventAggregatorTest, NormalEventWaitsSoThatItsRepeatsBecomeOne) {
  for (int i = 0; i < 5; ++i) {
    add(happened("a", "note"));
    now_ += 100ms;
  }
  EXPECT_FALSE(next());
  now_ = kStart + 1s;
  const auto event = next();
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->first);
  EXPECT_EQ(event->object["series"],
            (Json{{"count", 5}, {"lastObservedTime", "2026-01-01T00:00:00.400000Z"}}));
  EXPECT_EQ(aggregator_->waiting(), 0);
}

TEST_F(EventAggregatorTest, WarningsGoFirst) {
  add(happened("a", "normal"));
  now_ += 1s;
  add(happened("b", "warning", EventType::Warning));
  EXPECT_EQ(notes_due(), (Notes{"warning", "normal"}));
}

TEST_F(EventAggregatorTest, RepeatsOfWhatWasSentAreWrittenEveryThirtySeconds) {
  add(happened("a", "note", EventType::Warning));
  const auto first = next();
  for (int second = 1; second < 30; ++second) {
    now_ += 1s;
    add(happened("a", "note", EventType::Warning));
    ASSERT_FALSE(next()) << second;
  }
  now_ += 1s;
  const auto repeat = next();
  ASSERT_TRUE(repeat);
  EXPECT_FALSE(repeat->first);
  EXPECT_EQ(repeat->key, first->key);
  EXPECT_EQ(repeat->object["series"]["count"], 30);
  EXPECT_EQ(repeat->object["series"]["lastObservedTime"], "2026-01-01T00:00:29.000000Z");
  EXPECT_FALSE(aggregator_->next_due(now_, false));
}

TEST_F(EventAggregatorTest, FlushWaitsForNothingButTheRate) {
  make({.events_per_second = 1, .burst = 2}, {});
  for (const char* name : {"a", "b", "c"}) add(happened(name, name));
  EXPECT_TRUE(aggregator_->next(now_, true));
  EXPECT_TRUE(aggregator_->next(now_, true));
  EXPECT_FALSE(aggregator_->next(now_, true));
  EXPECT_EQ(aggregator_->next_due(now_, true), now_ + 1s);
}

TEST_F(EventAggregatorTest, AfterSixQuietMinutesItIsANewEvent) {
  add(happened("a", "note", EventType::Warning));
  const auto first = next();
  now_ += 6min;
  add(happened("a", "note", EventType::Warning));
  const auto second = next();
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->first);
  EXPECT_NE(second->key, first->key);
}

TEST_F(EventAggregatorTest, OnlySoManySentEventsAreRemembered) {
  make({}, {.remembered = 1});
  add(happened("a", "note", EventType::Warning));
  add(happened("b", "note", EventType::Warning));
  EXPECT_EQ(notes_due().size(), 2);
  now_ += 30s;
  add(happened("b", "note", EventType::Warning));
  EXPECT_FALSE(next()->first);
  add(happened("a", "note", EventType::Warning));
  EXPECT_TRUE(next()->first);
}

TEST_F(EventAggregatorTest, EventCarriesAllThatTheApiDemands) {
  add(happened("a", "Given to builder-1", EventType::Warning));
  const auto event = next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->key.namespace_, "team");
  EXPECT_EQ(event->object, (Json{{"apiVersion", "events.k8s.io/v1"},
                                 {"kind", "Event"},
                                 {"metadata", {{"name", event->key.name}, {"namespace", "team"}}},
                                 {"eventTime", "2026-01-01T00:00:00.000000Z"},
                                 {"reportingController", "convoke.dev/operator"},
                                 {"reportingInstance", "host-1"},
                                 {"type", "Warning"},
                                 {"reason", "Assigned"},
                                 {"action", "Assign"},
                                 {"regarding",
                                  {{"apiVersion", "convoke.dev/v1alpha1"},
                                   {"kind", "Thing"},
                                   {"name", "a"},
                                   {"namespace", "team"},
                                   {"uid", "uid-a"},
                                   {"resourceVersion", "7"}}},
                                 {"note", "Given to builder-1"}}));
}

TEST_F(EventAggregatorTest, MissingActionIsTheReason) {
  auto occurrence = happened("a", "note", EventType::Warning);
  occurrence.action.clear();
  add(occurrence);
  EXPECT_EQ(next()->object["action"], "Assigned");
}

TEST_F(EventAggregatorTest, EventOfAClusterScopedObjectGoesIntoDefault) {
  add({{kClusterThing, "", "a", "uid", ""}, EventType::Warning, "Reason", "Act", "note"});
  const auto event = next();
  EXPECT_EQ(event->key.namespace_, "default");
  EXPECT_FALSE(event->object["regarding"].contains("namespace"));
}

TEST_F(EventAggregatorTest, NameIsTheSameForTheSameEventAndFitsTheApi) {
  const auto name_of = [&](const Occurrence& occurrence) {
    make({}, {});
    add(occurrence);
    return next()->key.name;
  };
  const auto name = name_of(happened("a", "note", EventType::Warning));
  EXPECT_EQ(name, name_of(happened("a", "note", EventType::Warning)));
  EXPECT_NE(name, name_of(happened("a", "other", EventType::Warning)));
  EXPECT_TRUE(name.starts_with("a.")) << name;
  EXPECT_EQ(name.size(), 2 + 16);

  const auto longest =
      name_of(happened(std::string(235, 'x') + "-.-" + std::string(15, 'y'), "n", EventType::Warning));
  EXPECT_LE(longest.size(), 253);
  EXPECT_TRUE(longest.starts_with(std::string(235, 'x') + '.')) << longest;
}

TEST(CutNote, CutsBetweenCharactersOnly) {
  EXPECT_EQ(cut_note(std::string(1024, 'a')), std::string(1024, 'a'));
  EXPECT_EQ(cut_note(std::string(1025, 'a')), std::string(1021, 'a') + "…");
  // A character of 4 bytes from byte 1019 on does not fit any more.
  EXPECT_EQ(cut_note(std::string(1019, 'a') + "😀😀"), std::string(1019, 'a') + "…");
  EXPECT_EQ(cut_note(std::string(1017, 'a') + "😀😀"), std::string(1017, 'a') + "😀…");
  EXPECT_EQ(cut_note(std::string(2000, '\x80')), "…");  // not UTF-8 at all
}

}  // namespace
}  // namespace convoke::runtime
