#include "reconcilers/dispatch/agent_slots.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::dispatch {
namespace {

using kube::ObjectKey;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ObjectKey kAgentKey{"ns", "agent"};
const ObjectKey kOtherKey{"ns", "other"};

ObjectKey key(const std::string& name) {
  return {"ns", name};
}

struct Slots : AgentSlots {
  bool enter(const Key& agent, int limit, const Key& who) {
    called.clear();
    return AgentSlots::enter(agent, limit, who, called);
  }
  Called called;  // by the last enter()
};

TEST(AgentSlots, TheirLineIsServedInTheOrderOfItsComing) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("first")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("z")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("z"))) << "it waits already";
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("z")));
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("z")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("a")));
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_THAT(slots.leave(kAgentKey), IsEmpty());
}

TEST(AgentSlots, OneSlotCallsOneOfAHundred) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 2, key("x")));
  EXPECT_TRUE(slots.enter(kAgentKey, 2, key("y")));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(slots.enter(kAgentKey, 2, key("t" + std::to_string(i))));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("t0")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("t1")));
}

TEST(AgentSlots, WhoWasCalledHasTheSlotThoughOthersComeFirst) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("called")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("called")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("newcomer")));
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("called")));
}

TEST(AgentSlots, WhoWasCalledAndDoesNotEnterHandsTheTurnOn) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("b")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("a")));
  slots.come(key("a"));
  EXPECT_THAT(slots.go(key("a")), ElementsAre(key("b")));
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("b")));
  EXPECT_THAT(slots.go(key("b")), IsEmpty()) << "it has entered";
}

TEST(AgentSlots, ACallThatComesWhileItIsLookedAtIsForTheNextLook) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  slots.come(key("a"));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("a")));
  EXPECT_THAT(slots.go(key("a")), IsEmpty());
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("b")));
  slots.come(key("a"));
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("a")));
}

TEST(AgentSlots, WhoIsNotCalledKeepsItsTurnThoughItIsLookedAt) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("b")));
  slots.come(key("a"));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_THAT(slots.go(key("a")), IsEmpty());
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("a")));
}

TEST(AgentSlots, AgentsAreApart) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_TRUE(slots.enter(kOtherKey, 1, key("y")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("t")));
  EXPECT_THAT(slots.leave(kOtherKey), IsEmpty());
  EXPECT_TRUE(slots.enter(kOtherKey, 1, key("u")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("t")));
}

TEST(AgentSlots, WhoEntersElsewhereDoesNotStandInTheFormerLineAnyMore) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("t")));
  EXPECT_TRUE(slots.enter(kOtherKey, 1, key("t")));
  EXPECT_THAT(slots.leave(kAgentKey), IsEmpty());
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("u")));
}

TEST(AgentSlots, WhoWaitsElsewhereDoesNotStandInTheFormerLineAnyMore) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_TRUE(slots.enter(kOtherKey, 1, key("y")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("t")));
  EXPECT_FALSE(slots.enter(kOtherKey, 1, key("t")));
  EXPECT_THAT(slots.leave(kAgentKey), IsEmpty());
  EXPECT_THAT(slots.leave(kOtherKey), ElementsAre(key("t")));
}

TEST(AgentSlots, WhoWasCalledAndEntersElsewhereHandsTheTurnOnBeforeItSends) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("t")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("u")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("t")));
  slots.come(key("t"));
  EXPECT_TRUE(slots.enter(kOtherKey, 1, key("t")));
  EXPECT_THAT(slots.called, ElementsAre(key("u")));
  EXPECT_THAT(slots.go(key("t")), IsEmpty());
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("u")));
}

TEST(AgentSlots, WhoWantsNothingAnyMoreHandsItsPlaceOn) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("b")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("c")));
  EXPECT_THAT(slots.give_up(key("a")), IsEmpty());
  EXPECT_THAT(slots.give_up(key("stranger")), IsEmpty());
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("b")));
  EXPECT_THAT(slots.give_up(key("b")), ElementsAre(key("c")));
}

TEST(AgentSlots, MoreRoomIsUsedAsSoonAsItIsKnown) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 1, key("x")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("b")));
  EXPECT_FALSE(slots.enter(kAgentKey, 3, key("c"))) << "others were there before";
  EXPECT_THAT(slots.called, ElementsAre(key("a"), key("b")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("c")));
}

TEST(AgentSlots, WhoWasCalledWaitsAgainIfThereIsLessRoomAndKeepsItsTurn) {
  Slots slots;
  EXPECT_TRUE(slots.enter(kAgentKey, 2, key("x")));
  EXPECT_TRUE(slots.enter(kAgentKey, 2, key("y")));
  EXPECT_FALSE(slots.enter(kAgentKey, 2, key("a")));
  EXPECT_FALSE(slots.enter(kAgentKey, 2, key("b")));
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("a")));
  slots.come(key("a"));
  EXPECT_FALSE(slots.enter(kAgentKey, 1, key("a")));
  EXPECT_THAT(slots.go(key("a")), IsEmpty());
  EXPECT_THAT(slots.leave(kAgentKey), ElementsAre(key("a")));
}

}  // namespace
}  // namespace convoke::dispatch
