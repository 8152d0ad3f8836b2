#include "controller/runtime/store.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/clock.h"
#include "tests/unit/controller/runtime/keys.h"

namespace convoke::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct Thing {
  kube::ObjectMeta meta;
  std::string color;
};

using ThingStore = Store<Thing>;

ThingStore::Ptr thing(const std::string& name, const std::string& uid, const std::string& resource_version,
                      const std::string& color = "red") {
  Thing made;
  made.meta.namespace_ = "default";
  made.meta.name = name;
  made.meta.uid = uid;
  made.meta.resource_version = resource_version;
  made.color = color;
  return std::make_shared<const Thing>(std::move(made));
}

std::string describe(const ThingStore::Ptr& object) {
  return object ? object->meta.name + "/" + object->meta.uid + "@" + object->meta.resource_version : "-";
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    store.add_index("color", [](const Thing& object) {
      return object.color.empty() ? std::vector<std::string>{} : std::vector<std::string>{object.color};
    });
    store.add_handler([this](const ThingStore::Change& change) {
      changes.push_back(describe(change.before) + " -> " + describe(change.after) +
                        (change.initial ? " (initial)" : ""));
    });
  }

  std::vector<std::string> contents() const {
    std::vector<std::string> result;
    for (const auto& object : store.list()) {
      result.push_back(describe(object));
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  std::vector<std::string> of_color(const std::string& color) const {
    std::vector<std::string> result;
    for (const auto& object : store.by_index("color", color)) {
      result.push_back(describe(object));
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  ThingStore store;
  std::vector<std::string> changes;
};

// --- What never happens ---

TEST_F(StoreTest, AnUnknownKeyIsNull) {
  EXPECT_EQ(store.get(key("a")), nullptr);
}

TEST_F(StoreTest, AnIndexThatWasNeverAddedIsADefect) {
  EXPECT_THROW(store.by_index("size", "big"), std::logic_error);
  EXPECT_THROW(store.count_by_index("size", "big"), std::logic_error);
}

TEST_F(StoreTest, AnOlderEventNeverReplacesANewerAnswer) {
  store.overlay(thing("a", "u1", "10"));
  store.apply(thing("a", "u1", "9"));
  EXPECT_THAT(contents(), ElementsAre("a/u1@10"));
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@10"));
}

TEST_F(StoreTest, VersionsAreComparedAsNumbers) {
  store.apply(thing("a", "u1", "9"));
  store.apply(thing("a", "u1", "10"));
  EXPECT_THAT(contents(), ElementsAre("a/u1@10"));
}

TEST_F(StoreTest, TheWatchDeliveringAnAnswerThatWeHoldIsNoChange) {
  store.overlay(thing("a", "u1", "10"));
  store.apply(thing("a", "u1", "10"));
  EXPECT_EQ(changes.size(), 1U);
}

TEST_F(StoreTest, ALateAnswerDoesNotBringBackWhatTheWatchRemoved) {
  store.apply(thing("a", "u1", "5"));
  store.remove(key("a"), "u1", "7");
  store.overlay(thing("a", "u1", "6"));
  EXPECT_THAT(contents(), IsEmpty());
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@5", "a/u1@5 -> -"));
}

TEST_F(StoreTest, ALateAnswerDoesNotBringBackWhatWasRemovedBeforeItWasSeen) {
  store.remove(key("a"), "u1", "7");
  store.overlay(thing("a", "u1", "6"));
  EXPECT_THAT(contents(), IsEmpty());
}

TEST_F(StoreTest, AfterOurOwnDeleteLateEventsOfThatUidAreIgnored) {
  store.apply(thing("a", "u1", "5"));
  store.overlay_removed(key("a"), "u1");
  store.apply(thing("a", "u1", "6"));
  EXPECT_THAT(contents(), IsEmpty());
  store.remove(key("a"), "u1", "7");
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@5", "a/u1@5 -> -"));
}

TEST_F(StoreTest, AListOlderThanOurOwnDeleteDoesNotBringTheObjectBack) {
  store.replace({thing("a", "u1", "5")}, "5");
  store.overlay_removed(key("a"), "u1");
  store.replace({thing("a", "u1", "5")}, "6");
  EXPECT_THAT(contents(), IsEmpty());
}

TEST_F(StoreTest, ARemovalOfAnOlderUidLeavesItsSuccessorAlone) {
  store.apply(thing("a", "u2", "20"));
  store.remove(key("a"), "u1", "15");
  store.overlay_removed(key("a"), "u1");
  EXPECT_THAT(contents(), ElementsAre("a/u2@20"));
}

TEST_F(StoreTest, ARemovalOlderThanOurAnswerIsIgnored) {
  store.overlay(thing("a", "u1", "20"));
  store.remove(key("a"), "u1", "15");
  EXPECT_THAT(contents(), ElementsAre("a/u1@20"));
}

TEST_F(StoreTest, AnEventOfTheOldUidDoesNotReplaceItsSuccessor) {
  store.apply(thing("a", "u2", "20"));
  store.apply(thing("a", "u1", "15"));
  EXPECT_THAT(contents(), ElementsAre("a/u2@20"));
}

TEST_F(StoreTest, ALateAnswerOfAReplacedUidStaysDead) {
  store.apply(thing("a", "u1", "5"));
  store.apply(thing("a", "u2", "10"));
  store.remove(key("a"), "u2", "11");
  store.overlay(thing("a", "u1", "6"));
  EXPECT_THAT(contents(), IsEmpty());
}

// --- Changes ---

TEST_F(StoreTest, AnAdditionAChangeAndARemovalReachTheHandlers) {
  store.apply(thing("a", "u1", "1"));
  store.apply(thing("a", "u1", "2"));
  store.remove(key("a"), "u1", "3");
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@1", "a/u1@1 -> a/u1@2", "a/u1@2 -> -"));
}

TEST_F(StoreTest, AChangedUidIsARemovalAndAnAddition) {
  store.apply(thing("a", "u1", "1"));
  store.apply(thing("a", "u2", "5"));
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@1", "a/u1@1 -> -", "- -> a/u2@5"));
}

TEST_F(StoreTest, AnObjectThatEntersTheSelectionAgainIsBack) {
  store.apply(thing("a", "u1", "1"));
  store.remove(key("a"), "u1", "3");
  store.apply(thing("a", "u1", "4"));
  EXPECT_THAT(contents(), ElementsAre("a/u1@4"));
}

TEST_F(StoreTest, VersionsThatAreNoNumbersFollowTheOrderOfArrival) {
  store.apply(thing("a", "u1", "x"));
  store.apply(thing("a", "u1", "b"));
  EXPECT_THAT(contents(), ElementsAre("a/u1@b"));
  store.remove(key("a"), "u1", "c");
  EXPECT_THAT(contents(), IsEmpty());
}

TEST_F(StoreTest, HandlersMayReadAndWriteTheStore) {
  bool seen = false;
  store.add_handler([&](const ThingStore::Change& change) {
    if (change.after && change.after->meta.name == "a") {
      seen = store.get(key("a")) == change.after;
      store.overlay(thing("b", "u2", "2"));
    }
  });
  store.apply(thing("a", "u1", "1"));
  EXPECT_TRUE(seen);
  EXPECT_EQ(store.size(), 2U);
}

// --- Complete lists ---

TEST_F(StoreTest, OnlyTheFirstListIsInitial) {
  store.replace({thing("a", "u1", "1")}, "3");
  store.replace({thing("a", "u1", "4"), thing("b", "u2", "5")}, "6");
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@1 (initial)", "a/u1@1 -> a/u1@4", "- -> b/u2@5"));
}

TEST_F(StoreTest, WhatAListLacksIsRemoved) {
  store.replace({thing("a", "u1", "1"), thing("b", "u2", "2")}, "3");
  store.replace({thing("b", "u2", "2")}, "5");
  EXPECT_THAT(contents(), ElementsAre("b/u2@2"));
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@1 (initial)", "- -> b/u2@2 (initial)", "a/u1@1 -> -"));
}

TEST_F(StoreTest, TheListOfANamespaceLeavesTheOthersAlone) {
  store.replace({thing("a", "u1", "1")}, "3", "default");
  Thing elsewhere;
  elsewhere.meta.namespace_ = "team-b";
  elsewhere.meta.name = "b";
  elsewhere.meta.uid = "u2";
  elsewhere.meta.resource_version = "2";
  store.replace({std::make_shared<const Thing>(elsewhere)}, "4", "team-b");
  EXPECT_THAT(contents(), ElementsAre("a/u1@1", "b/u2@2"));
  store.replace({}, "6", "team-b");
  EXPECT_THAT(contents(), ElementsAre("a/u1@1"));
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@1 (initial)", "- -> b/u2@2 (initial)", "b/u2@2 -> -"));
}

TEST_F(StoreTest, WhatOurWritesMadeNewerThanTheListStays) {
  store.overlay(thing("a", "u1", "10"));
  store.overlay(thing("b", "u2", "11"));
  store.replace({thing("a", "u1", "4")}, "8");
  EXPECT_THAT(contents(), ElementsAre("a/u1@10", "b/u2@11"));
}

TEST_F(StoreTest, AListHoldsAnObjectWhoseRemovalWeSawBefore) {
  store.apply(thing("a", "u1", "5"));
  store.remove(key("a"), "u1", "9");
  store.replace({thing("a", "u1", "5")}, "12");
  EXPECT_THAT(contents(), ElementsAre("a/u1@5"));
}

TEST_F(StoreTest, AListWithAnotherUidIsARemovalAndAnAddition) {
  store.replace({thing("a", "u1", "1")}, "2");
  store.replace({thing("a", "u2", "5")}, "6");
  EXPECT_THAT(changes, ElementsAre("- -> a/u1@1 (initial)", "a/u1@1 -> -", "- -> a/u2@5"));
}

// --- Indexes ---

TEST_F(StoreTest, AnIndexFollowsEveryChange) {
  store.apply(thing("a", "u1", "1", "red"));
  store.apply(thing("b", "u2", "2", "red"));
  store.apply(thing("c", "u3", "3", ""));
  EXPECT_THAT(of_color("red"), ElementsAre("a/u1@1", "b/u2@2"));
  EXPECT_THAT(of_color(""), IsEmpty());

  store.apply(thing("a", "u1", "4", "blue"));
  store.apply(thing("b", "u2", "5", "red"));
  EXPECT_THAT(of_color("red"), ElementsAre("b/u2@5"));
  EXPECT_THAT(of_color("blue"), ElementsAre("a/u1@4"));
  EXPECT_EQ(store.count_by_index("color", "red"), 1U);

  store.remove(key("b"), "u2", "6");
  store.apply(thing("a", "u9", "7", "green"));
  EXPECT_THAT(of_color("red"), IsEmpty());
  EXPECT_THAT(of_color("blue"), IsEmpty());
  EXPECT_THAT(of_color("green"), ElementsAre("a/u9@7"));
  EXPECT_EQ(store.count_by_index("color", "red"), 0U);
}

TEST_F(StoreTest, AnObjectIsFoundUnderEachOfItsValuesOnce) {
  ThingStore tagged;
  tagged.add_index("tag", [](const Thing& object) {
    return std::vector<std::string>{object.color, object.color, "any"};
  });
  tagged.apply(thing("a", "u1", "1", "red"));
  EXPECT_EQ(tagged.count_by_index("tag", "red"), 1U);
  EXPECT_EQ(tagged.count_by_index("tag", "any"), 1U);
  tagged.remove(key("a"), "u1", "2");
  EXPECT_EQ(tagged.count_by_index("tag", "any"), 0U);
}

TEST_F(StoreTest, AHandlerSeesTheIndexAsItIsAfterTheChange) {
  std::size_t red = 99;
  store.add_handler([&](const ThingStore::Change&) { red = store.count_by_index("color", "red"); });
  store.apply(thing("a", "u1", "1", "red"));
  EXPECT_EQ(red, 1U);
  store.apply(thing("a", "u1", "2", "blue"));
  EXPECT_EQ(red, 0U);
}

// --- Many ---

TEST(Store, TenThousandObjectsAreListedReplacedAndRemoved) {
  ThingStore store;
  store.add_index("uid", [](const Thing& object) { return std::vector<std::string>{object.meta.uid}; });
  std::vector<ThingStore::Ptr> all;
  for (int i = 0; i < 10'000; ++i) {
    all.push_back(thing("thing-" + std::to_string(i), "uid-" + std::to_string(i), std::to_string(i + 1)));
  }
  store.replace(all, "10000");
  store.replace(all, "10001");
  EXPECT_EQ(store.size(), 10'000U);
  EXPECT_EQ(store.count_by_index("uid", "uid-9999"), 1U);
  store.replace({}, "10002");
  EXPECT_EQ(store.size(), 0U);
  EXPECT_EQ(store.count_by_index("uid", "uid-9999"), 0U);
}

TEST(Store, IsSafeFromManyThreads) {
  ThingStore store;
  store.add_index("color", [](const Thing& object) { return std::vector<std::string>{object.color}; });
  SystemClock clock;
  std::vector<std::unique_ptr<Thread>> threads;
  for (int t = 0; t < 4; ++t) {
    threads.push_back(clock.start_thread("writer", [&store, t] {
      for (int i = 1; i <= 200; ++i) {
        const std::string name = std::to_string(i % 7);
        const std::string version = std::to_string(i * 4 + t);
        store.apply(thing(name, name, version, i % 2 == 0 ? "red" : "blue"));
        if (store.count_by_index("color", "red") > 7) {
          store.overlay_removed(key(name), name);
        }
        store.by_index("color", "blue");
      }
    }));
  }
  threads.clear();
  EXPECT_EQ(store.size(), 7U);
  EXPECT_EQ(store.count_by_index("color", "red") + store.count_by_index("color", "blue"), 7U);
}

}  // namespace
}  // namespace convoke::runtime
