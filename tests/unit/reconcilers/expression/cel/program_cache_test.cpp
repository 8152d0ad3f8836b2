#include "reconcilers/expression/cel/program_cache.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controller/base/clock.h"

namespace convoke::cel {
namespace {

TEST(ProgramCache, CompilesAnExpressionOnce) {
  ProgramCache cache;
  const auto first = cache.get("1 + 1");
  const auto second = cache.get("1 + 1");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(cache.hits(), 1u);
  EXPECT_EQ(cache.misses(), 1u);
}

TEST(ProgramCache, KeepsNoExpressionThatDoesNotCompile) {
  ProgramCache cache;
  EXPECT_FALSE(cache.get("1 +"));
  EXPECT_EQ(cache.size(), 0u);
}

TEST(ProgramCache, DropsTheLeastRecentlyUsed) {
  ProgramCache cache(2);
  const auto one = *cache.get("1");
  const auto two = *cache.get("2");
  EXPECT_EQ(*cache.get("1"), one);
  const auto three = *cache.get("3");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(*cache.get("1"), one);
  EXPECT_NE(*cache.get("2"), two);
  EXPECT_TRUE(two->evaluate_json(Variables())) << "a program that was dropped still works for who has it";
}

TEST(ProgramCache, IsBoundedByTheSizeOfTheSourcesToo) {
  ProgramCache cache(1000, 100);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(cache.get("1 + " + std::to_string(100000 + i)));
  }
  EXPECT_EQ(cache.size(), 10u);
  ASSERT_TRUE(cache.get("'" + std::string(200, 'x') + "'"));
  EXPECT_EQ(cache.size(), 0u);
}

TEST(ProgramCache, ServesManyThreads) {
  ProgramCache cache(4);
  SystemClock clock;
  std::vector<std::unique_ptr<Thread>> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(clock.start_thread("evaluate", [&] {
      for (int round = 0; round < 200; ++round) {
        const auto program = cache.get(std::to_string(round % 8));
        ASSERT_TRUE(program);
        EXPECT_EQ(*(*program)->evaluate_json(Variables()), Json(round % 8));
      }
    }));
  }
  for (auto& thread : threads) {
    thread->join();
  }
  EXPECT_EQ(cache.size(), 4u);
}

}  // namespace
}  // namespace convoke::cel
