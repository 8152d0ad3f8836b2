#include "controller/runtime/fair_queue.h"

#include <deque>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::runtime {
namespace {

struct Item {
  std::string flow;
  int number = 0;
};
struct ByNumber {
  bool operator()(const Item* a, const Item* b) const { return a->number < b->number; }
};

class FairQueueTest : public ::testing::Test {
 protected:
  void add(const std::string& flow, int count) {
    for (int i = 0; i < count; ++i) {
      items.push_back({flow, static_cast<int>(items.size())});
      queue.insert(flow, &items.back());
    }
  }
  Item* pop() { return queue.pop(weights.contains(queue.next_flow()) ? weights[queue.next_flow()] : 1); }
  std::map<std::string, int> serve(int count) {
    std::map<std::string, int> served;
    for (int i = 0; i < count; ++i) ++served[pop()->flow];
    return served;
  }

  std::deque<Item> items;
  std::map<std::string, double> weights;
  FairQueue<Item, ByNumber> queue;
};

TEST_F(FairQueueTest, OneFlowIsFirstInFirstOut) {
  add("a", 3);
  EXPECT_EQ(pop()->number, 0);
  EXPECT_EQ(pop()->number, 1);
  EXPECT_EQ(pop()->number, 2);
  EXPECT_TRUE(queue.empty());
}

TEST_F(FairQueueTest, WhoeverComesLaterDoesNotWaitForAllThatIsThere) {
  add("a", 10'000);
  serve(500);
  add("b", 10);
  EXPECT_EQ(serve(21)["b"], 10);
  EXPECT_EQ(serve(9489)["a"], 9489);
  EXPECT_TRUE(queue.empty());
}

TEST_F(FairQueueTest, TurnsAreByWeight) {
  weights["a"] = 3;
  add("a", 1000);
  add("b", 1000);
  add("c", 1000);
  const auto served = serve(500);
  EXPECT_NEAR(served.at("a"), 300, 3);
  EXPECT_NEAR(served.at("b"), 100, 3);
  EXPECT_NEAR(served.at("c"), 100, 3);
}

TEST_F(FairQueueTest, NobodySavesUpTurns) {
  add("a", 1000);
  add("b", 1);
  serve(500);
  add("b", 100);
  EXPECT_NEAR(serve(20)["b"], 10, 1);
}

TEST_F(FairQueueTest, WhatIsTakenOutCostsItsFlowNothing) {
  add("a", 1000);
  add("b", 1000);
  for (int i = 0; i < 990; ++i) EXPECT_TRUE(queue.erase("a", &items[static_cast<std::size_t>(i)]));
  EXPECT_FALSE(queue.erase("a", &items[0]));
  EXPECT_EQ(serve(20)["a"], 10);
}

TEST_F(FairQueueTest, AFlowThatComesOneByOneGetsNoMoreThanItsShare) {
  add("a", 1000);
  int of_b = 0;
  for (int i = 0; i < 100; ++i) {
    add("b", 1);
    of_b += serve(1)["b"];
    of_b += serve(1)["b"];
  }
  EXPECT_NEAR(of_b, 100, 2);
}

}  // namespace
}  // namespace convoke::runtime
