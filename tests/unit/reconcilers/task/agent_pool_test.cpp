#include "reconcilers/task/agent_pool.h"

#include <map>

#include <gtest/gtest.h>

#include "reconcilers/task/rule_book.h"
#include "reconcilers/task/strategy.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::Strategy;

Requirement requirement(Strategy strategy) {
  Requirement wanted{{"compile"}};
  wanted.strategy = strategy;
  wanted.task_type = counts_by_type(strategy) ? "compile" : "";
  return wanted;
}

api::TaskTypeStatistics did(double success_rate, Duration mean) {
  return {"compile", 10, success_rate, mean, mean};
}

// A pool and its agents; what a scheduler would do with them.
class StaffedPool {
 public:
  explicit StaffedPool(Strategy strategy) : pool(requirement(strategy)) {}

  AgentSlot& add(const api::Agent& agent) {
    AgentSlot& slot = slots[agent.meta.name];
    slot.name = agent.meta.name;
    slot.known = true;
    slot.learn(agent);
    pool.place(slot);
    return slot;
  }
  void load(const std::string& name, int active) {
    slots.at(name).active.clear();
    for (int i = 0; i < active; ++i) slots.at(name).active.insert(kNow);
    pool.load_changed(slots.at(name));
  }
  std::string best() const { return pool.free().empty() ? "" : pool.free().begin()->second->name; }
  // Gives a Task to the best, which ends at once.
  std::string serve() {
    const std::string name = best();
    pool.served(slots.at(name));
    return name;
  }
  std::string serve(int times) {
    std::string names;
    for (int i = 0; i < times; ++i) {
      names += serve();
    }
    return names;
  }
  double score(const std::string& name) const { return pool.score(slots.at(name)); }

  std::map<std::string, AgentSlot> slots;
  AgentPool pool;
};

TEST(AgentPool, TheLeastLoadedIsTheOneWithTheSmallestPartInUse) {
  StaffedPool pool(Strategy::LeastLoaded);
  pool.add(make_agent("large", {"compile"}, 100));
  pool.add(make_agent("small", {"compile"}, 4));
  EXPECT_EQ(pool.best(), "large") << "both are idle, so the name decides";
  pool.load("large", 20);
  pool.load("small", 1);
  EXPECT_EQ(pool.best(), "large");
  EXPECT_DOUBLE_EQ(pool.score("large"), 0.8);
  pool.load("large", 30);
  EXPECT_EQ(pool.best(), "small");
}

TEST(AgentPool, RoundRobinServesEverybodyInTurn) {
  StaffedPool pool(Strategy::RoundRobin);
  for (const char* name : {"a", "b", "c"}) {
    pool.add(make_agent(name));
  }
  EXPECT_EQ(pool.serve(4), "abca");
  pool.add(make_agent("z"));
  EXPECT_EQ(pool.serve(2), "zb") << "who is new is next";
}

TEST(AgentPool, RoundRobinKeepsTheTurnOfAnAgentThatChangesOrIsAway) {
  StaffedPool pool(Strategy::RoundRobin);
  pool.add(make_agent("a"));
  pool.add(make_agent("b"));
  EXPECT_EQ(pool.serve(), "a");
  api::Agent away = make_agent("a");
  away.status.phase = api::AgentPhase::Offline;
  pool.add(away);
  pool.add(make_agent("a"));
  EXPECT_EQ(pool.serve(2), "ba");
  EXPECT_EQ(pool.score("b"), 1) << "one Task since its turn";
}

TEST(AgentPool, RandomDrawsEveryFreeAgentAlike) {
  StaffedPool pool(Strategy::Random);
  for (int i = 0; i < 10; ++i) {
    pool.add(make_agent("a" + std::to_string(i)));
  }
  pool.load("a3", 10);
  const std::vector<const AgentSlot*> excluded{&pool.slots.at("a9"), &pool.slots.at("a0"),
                                               &pool.slots.at("a3")};
  const auto random = make_seeded_random(42);
  std::map<std::string, int> drawn;
  constexpr int kDraws = 70'000;
  for (int i = 0; i < kDraws; ++i) {
    ++drawn[pool.pool.draw(*random, excluded)->name];
  }
  ASSERT_EQ(drawn.size(), 7U);
  double chi_squared = 0;
  for (const auto& [name, count] : drawn) {
    const double off = count - kDraws / 7.0;
    chi_squared += off * off / (kDraws / 7.0);
  }
  EXPECT_LT(chi_squared, 22.46) << "99.9 % of fair draws stay below, with 6 degrees of freedom";
}

TEST(AgentPool, RandomDrawsNobodyWhenAllAreFullOrExcluded) {
  StaffedPool pool(Strategy::Random);
  const auto random = make_seeded_random(1);
  EXPECT_EQ(pool.pool.draw(*random, {}), nullptr);
  AgentSlot& a = pool.add(make_agent("a", {"compile"}, 1));
  EXPECT_EQ(pool.pool.draw(*random, {}), &a);
  EXPECT_EQ(pool.pool.draw(*random, {&a}), nullptr);
  pool.load("a", 1);
  EXPECT_EQ(pool.pool.draw(*random, {}), nullptr);
}

TEST(AgentPool, PerformanceWeighsSuccessRoomAndSpeed) {
  StaffedPool pool(Strategy::PerformanceBased);
  api::Agent fast = make_agent("fast");
  fast.status.statistics = {did(0.9, 1024ms)};
  api::Agent slow = make_agent("slow");
  slow.status.statistics = {did(1, 4096ms)};
  pool.add(slow);
  EXPECT_DOUBLE_EQ(pool.score("slow"), 1) << "nobody is faster";
  pool.add(fast);
  EXPECT_DOUBLE_EQ(pool.score("fast"), 0.4 * 0.9 + 0.3 + 0.3);
  EXPECT_DOUBLE_EQ(pool.score("slow"), 0.4 + 0.3 + 0.3 * 0.25);
  EXPECT_EQ(pool.best(), "fast");
  pool.add(make_agent("z-new"));
  EXPECT_EQ(pool.best(), "z-new") << "a newcomer gets its chance";
  pool.load("z-new", 5);
  EXPECT_EQ(pool.best(), "fast");
  pool.pool.take_out(pool.slots.at("fast"));
  EXPECT_DOUBLE_EQ(pool.score("slow"), 1);
}

TEST(AgentPool, TheCheapestIsChosenByItsOwnDuration) {
  StaffedPool pool(Strategy::CostOptimized);
  api::Agent slow = make_agent("slow");
  slow.spec.cost = {0, 1};
  slow.status.statistics = {did(1, 10min)};
  api::Agent fast = make_agent("fast");
  fast.spec.cost = {0.5, 2};
  fast.status.statistics = {did(1, 1min)};
  pool.add(slow);
  pool.add(fast);
  EXPECT_EQ(pool.best(), "fast");
  EXPECT_DOUBLE_EQ(pool.score("fast"), 2.5);
  EXPECT_DOUBLE_EQ(pool.score("slow"), 10);
}

TEST(AgentPool, WhomARuleRefusesIsNotThereAndTheReasonIsKept) {
  RuleBook book;
  api::Task task = make_task();
  task.spec.requires_.rule = "agent.metadata.labels['zone'] == 'z1'";
  Requirement wanted = requirement(Strategy::CapabilityMatch);
  book.add_rules(task, wanted);
  AgentPool pool(wanted);
  AgentSlot slot;
  api::Agent agent = make_agent("a");
  agent.meta.labels = {{"zone", "z2"}};
  slot.learn(agent);
  pool.place(slot);
  EXPECT_FALSE(pool.is_eligible(slot));
  EXPECT_EQ(pool.refusal(slot), "requires.rule does not hold");
  agent.meta.labels = {{"zone", "z1"}};
  EXPECT_EQ(slot.learn(agent), AgentNews::Facts);
  pool.place(slot);
  EXPECT_TRUE(pool.is_eligible(slot));
  EXPECT_EQ(pool.refusal(slot), "");
}

TEST(AgentSlot, TellsWhatItsNewsConcern) {
  AgentSlot slot;
  api::Agent agent = make_agent("a");
  EXPECT_EQ(slot.learn(agent), AgentNews::Facts);
  EXPECT_EQ(slot.learn(agent), AgentNews::None);
  agent.status.active_tasks = 3;
  agent.status.last_heartbeat_time = at({});
  EXPECT_EQ(slot.learn(agent), AgentNews::None);
  agent.status.statistics = {did(1, 1s)};
  EXPECT_EQ(slot.learn(agent), AgentNews::Record);
  agent.meta.annotations = {{"note", "x"}};
  EXPECT_EQ(slot.learn(agent), AgentNews::None) << "no rule names them";
  slot.view();
  agent.meta.annotations = {{"note", "y"}};
  EXPECT_EQ(slot.learn(agent, {{"agent", "metadata", "annotations"}}), AgentNews::Facts);
  EXPECT_EQ(slot.view()["metadata"]["annotations"]["note"], "y");
}

// --- Against a choice that looks at everybody ---

class AgentPoolModelTest : public ::testing::TestWithParam<std::tuple<Strategy, std::uint64_t>> {
 protected:
  std::uint64_t roll(std::uint64_t sides) { return random->next() % sides; }

  api::Agent any_agent() {
    static const std::vector<std::vector<std::string>> kSets = {
        {"compile"}, {"*"}, {"test"}, {"compile", "*"}};
    api::Agent agent =
        make_agent("a" + std::to_string(roll(8)), kSets[roll(4)], static_cast<int>(roll(4)) + 1);
    agent.spec.cordoned = roll(8) == 0;
    agent.spec.cost = {static_cast<double>(roll(4)), static_cast<double>(roll(3))};
    if (roll(3) != 0) {
      agent.status.statistics = {
          did(static_cast<double>(roll(5)) / 4, std::chrono::milliseconds(roll(5000)))};
    }
    return agent;
  }

  double rank(const AgentSlot& slot) const {
    const auto* statistics = slot.record.of_type("compile");
    switch (std::get<0>(GetParam())) {
      case Strategy::CapabilityMatch:
        return *slot.facts.match(pool.pool.requirement()) - slot.load();
      case Strategy::LeastLoaded:
        return 1 - static_cast<double>(slot.load()) / slot.facts.capacity;
      case Strategy::RoundRobin: {
        const auto last = served.find(slot.name);
        return last == served.end() ? 0 : -last->second;
      }
      case Strategy::CostOptimized:
        return -expected_cost(slot.record.cost, statistics);
      case Strategy::PerformanceBased:
        return performance_score(statistics, slot.load_factor(), reference());
      case Strategy::Random:
        break;
    }
    return 0;
  }
  bool fits(const AgentSlot& slot) const {
    return slot.known && slot.facts.match(pool.pool.requirement()).has_value();
  }
  Duration reference() const {
    Duration fastest = Duration::zero();
    for (const auto& [name, slot] : pool.slots) {
      const auto* statistics = slot.record.of_type("compile");
      const Duration mean = statistics == nullptr ? Duration::zero() : statistics->mean_duration;
      if (fits(slot) && mean > Duration::zero() && (fastest == Duration::zero() || mean < fastest)) {
        fastest = mean;
      }
    }
    return speed_reference(fastest);
  }
  std::string model_choice() const {
    std::string best;
    double best_rank = 0;
    for (const auto& [name, slot] : pool.slots) {
      if (fits(slot) && slot.has_room() && (best.empty() || rank(slot) > best_rank)) {
        best = name;
        best_rank = rank(slot);
      }
    }
    return best;
  }

  void change() {
    const api::Agent agent = any_agent();
    const std::uint64_t dice = roll(10);
    const auto known = pool.slots.find(agent.meta.name);
    if (dice < 4 || known == pool.slots.end() || !known->second.known) {
      pool.add(agent);
    } else if (dice < 7) {
      pool.load(agent.meta.name, static_cast<int>(roll(5)));
    } else if (dice < 9 && !pool.best().empty()) {
      const std::string name = pool.serve();
      served[name] = ++turns;
    } else {
      known->second.known = false;
      pool.pool.take_out(known->second);
      served.erase(agent.meta.name);
    }
  }

  StaffedPool pool{std::get<0>(GetParam())};
  std::map<std::string, int> served;
  int turns = 0;
  std::unique_ptr<Random> random = make_seeded_random(std::get<1>(GetParam()));
};

TEST_P(AgentPoolModelTest, ChoosesAsIfItLookedAtEverybody) {
  for (int step = 0; step < 2000; ++step) {
    change();
    ASSERT_EQ(pool.best(), model_choice()) << "step " << step << ", seed " << std::get<1>(GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Strategies, AgentPoolModelTest,
                         ::testing::Combine(::testing::Values(Strategy::CapabilityMatch,
                                                              Strategy::LeastLoaded, Strategy::RoundRobin,
                                                              Strategy::PerformanceBased,
                                                              Strategy::CostOptimized),
                                            ::testing::Range<std::uint64_t>(1, 11)),
                         [](const auto& param) {
                           return std::string(to_string(std::get<0>(param.param))) + "_" +
                                  std::to_string(std::get<1>(param.param));
                         });

}  // namespace
}  // namespace convoke::task
