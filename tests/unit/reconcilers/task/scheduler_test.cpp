#include "reconcilers/task/scheduler.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "controller/runtime/work_queue.h"
#include "reconcilers/task/task_metrics.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() {
    clock.set_wall(kNow);
    scheduler.set_listener([this](const kube::ObjectKey& key, int priority) {
      (priority == runtime::kPriorityHigh ? matched : refreshed).push_back(key.name);
    });
  }

  void add_task(api::Task task) {
    task.meta.resource_version = std::to_string(++version);
    scheduler.upsert_task(task);
  }
  void add_task(const std::string& name, int priority = 3) {
    api::Task task = make_task(name);
    task.spec.priority = priority;
    add_task(task);
  }
  void add_agent(api::Agent agent) {
    agent.meta.resource_version = std::to_string(++version);
    scheduler.upsert_agent(agent);
  }
  // As the Task's own news would say after its reservation was written.
  void confirm(const std::string& name) {
    api::Task task = make_task(name);
    task.status.phase = api::TaskPhase::Assigned;
    task.status.agent_name = agent_of(name);
    add_task(task);
  }
  void finish(const std::string& name) {
    api::Task task = make_task(name);
    task.status.phase = api::TaskPhase::Succeeded;
    add_task(task);
  }
  Outlook outlook(const std::string& name) const {
    return scheduler.outlook({"default", name}, "uid-" + name);
  }
  std::string agent_of(const std::string& name) const {
    const auto reservation = outlook(name).reservation;
    return reservation ? reservation->agent_name : "";
  }
  std::vector<std::string> rejected(const std::string& name) const {
    const Outlook seen = outlook(name);
    std::vector<std::string> list;
    for (const auto& agent : seen.explanation ? seen.explanation->rejected : seen.reservation->rejected) {
      list.push_back(agent.agent_name + " " + agent.reason);
    }
    return list;
  }

  fakes::FakeClock clock;
  prometheus::Registry registry;
  TaskMetrics metrics{registry};
  Scheduler scheduler{clock, metrics};
  int version = 100;
  std::vector<std::string> matched, refreshed;
};

TEST_F(SchedulerTest, NothingIsMatchedBeforeItIsStarted) {
  add_agent(make_agent("a"));
  add_task("low", 1);
  add_task("high", 5);
  EXPECT_THAT(matched, IsEmpty());
  scheduler.start();
  EXPECT_THAT(matched, ElementsAre("high", "low"));
}

TEST_F(SchedulerTest, ExplainsWhyNobodyGetsATask) {
  scheduler.start();
  api::Task task = make_task("t");
  task.spec.requires_.capabilities = {"gpu"};
  add_task(task);
  EXPECT_EQ(outlook("t").explanation->verdict, Verdict::NoAgents);
  EXPECT_THAT(rejected("t"), IsEmpty());

  add_agent(make_agent("a"));
  api::Agent offline = make_agent("b", {"gpu"});
  offline.status.phase = api::AgentPhase::Offline;
  add_agent(offline);
  EXPECT_EQ(outlook("t").explanation->verdict, Verdict::NoEligibleAgent);
  EXPECT_THAT(rejected("t"), ElementsAre("a lacks capability gpu", "b is Offline"));

  add_agent(make_agent("c", {"gpu"}, 1));
  EXPECT_EQ(agent_of("t"), "c");
  task.meta.name = "u";
  task.meta.uid = "uid-u";
  add_task(task);
  EXPECT_EQ(outlook("u").explanation->verdict, Verdict::AgentsBusy);
  EXPECT_THAT(rejected("u"), ElementsAre("c is full (1 of 1)", "a lacks capability gpu", "b is Offline"));
}

TEST_F(SchedulerTest, NamesAtMostTenRejectedAgents) {
  scheduler.start();
  for (int i = 0; i < 30; ++i) {
    add_agent(make_agent("a" + std::to_string(i), {"other"}));
  }
  add_task("t");
  EXPECT_THAT(rejected("t"), SizeIs(10));
}

TEST_F(SchedulerTest, AgentsOfOtherNamespacesDoNotCount) {
  scheduler.start();
  api::Agent foreign = make_agent("a");
  foreign.meta.namespace_ = "other";
  add_agent(foreign);
  add_task("t");
  EXPECT_EQ(outlook("t").explanation->verdict, Verdict::NoAgents);
}

TEST_F(SchedulerTest, TheBestScoreWinsThenTheLowerLoadThenTheName) {
  scheduler.start();
  add_agent(make_agent("wild", {"*"}));
  add_agent(make_agent("b"));
  add_agent(make_agent("a"));
  for (const char* name : {"t1", "t2", "t3"}) {
    add_task(name);
  }
  EXPECT_EQ(agent_of("t1"), "a");
  EXPECT_EQ(agent_of("t2"), "b");
  EXPECT_EQ(agent_of("t3"), "a");
  const auto reservation = outlook("t1").reservation;
  EXPECT_EQ(reservation->score, 10);
  EXPECT_EQ(reservation->candidates, 3);
  EXPECT_EQ(outlook("t3").reservation->score, 9);
}

TEST_F(SchedulerTest, APlaceIsCountedOnceFromReservationToEnd) {
  scheduler.start();
  add_agent(make_agent("a", {"compile"}, 1));
  add_task("t1");
  add_task("t2");
  EXPECT_EQ(agent_of("t1"), "a");
  EXPECT_EQ(agent_of("t2"), "");
  confirm("t1");
  EXPECT_EQ(agent_of("t2"), "");
  finish("t1");
  EXPECT_EQ(agent_of("t2"), "a");
  EXPECT_THAT(matched, ElementsAre("t1", "t2"));
}

TEST_F(SchedulerTest, PriorityThenAgeThenUid) {
  add_agent(make_agent("a"));
  api::Task older = make_task("older");
  older.meta.creation_timestamp = at(-1h);
  add_task("z");
  add_task("b");
  add_task(older);
  add_task("urgent", 5);
  scheduler.start();
  EXPECT_THAT(matched, ElementsAre("urgent", "older", "b", "z"));
}

TEST_F(SchedulerTest, AnUrgentTaskThatNobodyCanTakeHoldsNobodyUp) {
  scheduler.start();
  add_agent(make_agent("a"));
  api::Task urgent = make_task("urgent");
  urgent.spec.priority = 5;
  urgent.spec.type = "gpu";
  add_task(urgent);
  add_task("t", 1);
  EXPECT_THAT(matched, ElementsAre("t"));
}

TEST_F(SchedulerTest, AChangedPriorityChangesThePlace) {
  scheduler.start();
  add_agent(make_agent("a", {"compile"}, 1));
  add_task("running");
  add_task("t1");
  add_task("t2");
  add_task("t2", 4);
  finish("running");
  EXPECT_EQ(agent_of("t2"), "a");
  EXPECT_EQ(agent_of("t1"), "");
}

TEST_F(SchedulerTest, OlderNewsIsIgnored) {
  scheduler.start();
  add_agent(make_agent("a", {"compile"}, 1));
  add_task("t1");
  confirm("t1");
  api::Task stale = make_task("t1");
  stale.meta.resource_version = "1";
  scheduler.upsert_task(stale);
  add_task("t2");
  EXPECT_EQ(agent_of("t2"), "") << "t1 still has the place";
  api::Agent old = make_agent("a", {"compile"}, 99);
  old.meta.resource_version = "1";
  scheduler.upsert_agent(old);
  EXPECT_EQ(agent_of("t2"), "");
}

TEST_F(SchedulerTest, SuspendingOrCancellingGivesThePlaceBack) {
  scheduler.start();
  add_agent(make_agent("a", {"compile"}, 1));
  add_task("t1");
  add_task("t2");
  api::Task suspended = make_task("t1");
  suspended.spec.suspend = true;
  add_task(suspended);
  EXPECT_EQ(agent_of("t2"), "a");
  EXPECT_FALSE(outlook("t1").reservation);
}

TEST_F(SchedulerTest, ADeletedTaskGivesThePlaceBack) {
  scheduler.start();
  add_agent(make_agent("a", {"compile"}, 1));
  add_task("t1");
  confirm("t1");
  add_task("t2");
  scheduler.remove_task({"default", "t1"}, "uid-other");
  EXPECT_EQ(agent_of("t2"), "");
  scheduler.remove_task({"default", "t1"}, "uid-t1");
  EXPECT_EQ(agent_of("t2"), "a");
}

TEST_F(SchedulerTest, AReservationMovesWhenItsAgentCanNoLongerTakeIt) {
  scheduler.start();
  add_agent(make_agent("a"));
  add_agent(make_agent("b"));
  add_task("t");
  EXPECT_EQ(agent_of("t"), "a");
  api::Agent cordoned = make_agent("a");
  cordoned.spec.cordoned = true;
  add_agent(cordoned);
  EXPECT_EQ(agent_of("t"), "b");
  scheduler.remove_agent({"default", "b"}, "uid-b");
  EXPECT_EQ(agent_of("t"), "");
  EXPECT_THAT(matched, ElementsAre("t", "t"));
}

TEST_F(SchedulerTest, ChangedLabelsAndCapacityCountAtOnce) {
  scheduler.start();
  api::Agent agent = make_agent("a", {"compile"}, 1);
  add_agent(agent);
  api::Task task = make_task("t");
  task.spec.requires_.agent_selector.match_labels = {{"tier", "gpu"}};
  add_task(task);
  EXPECT_THAT(rejected("t"), ElementsAre("a does not match selector tier=gpu"));
  agent.meta.labels = {{"tier", "gpu"}};
  add_agent(agent);
  EXPECT_EQ(agent_of("t"), "a");
  add_task("u");
  EXPECT_EQ(agent_of("u"), "");
  agent.spec.capacity = 2;
  add_agent(agent);
  EXPECT_EQ(agent_of("u"), "a");
}

TEST_F(SchedulerTest, AReleasedTaskIsOfferedAgainOnlyWhenItIsLookedAt) {
  scheduler.start();
  add_agent(make_agent("a", {"compile"}, 1));
  add_task("t1");
  scheduler.release({"default", "t1"}, "uid-t1");
  EXPECT_EQ(agent_of("t1"), "");
  EXPECT_THAT(matched, ElementsAre("t1"));
  add_task("t1");
  EXPECT_EQ(agent_of("t1"), "a");
}

TEST_F(SchedulerTest, APinnedTaskGoesNowhereElse) {
  scheduler.start();
  add_agent(make_agent("a"));
  api::Task task = make_task("t");
  task.spec.agent_name = "b";
  add_task(task);
  EXPECT_THAT(rejected("t"), ElementsAre("b does not exist", "a not the pinned agent"));
  EXPECT_EQ(outlook("t").explanation->verdict, Verdict::NoEligibleAgent);
  add_agent(make_agent("b"));
  EXPECT_EQ(agent_of("t"), "b");
}

TEST_F(SchedulerTest, ARejecterIsNotAskedAgainWhileThereIsAnybodyElse) {
  scheduler.start();
  add_agent(make_agent("a"));
  add_agent(make_agent("b", {"compile"}, 1));
  add_task("filler");
  add_task("blocker");
  EXPECT_EQ(agent_of("blocker"), "b");
  api::Task task = make_task("t");
  task.status.attempts = {rejection("a", -1h)};
  add_task(task);
  EXPECT_EQ(outlook("t").explanation->verdict, Verdict::AgentsBusy) << "b is full, but it is there";
  scheduler.remove_agent({"default", "b"}, "uid-b");
  EXPECT_EQ(agent_of("t"), "a") << "a is the only one now";
}

TEST_F(SchedulerTest, TheOnlyRejecterIsAskedAgainAfterAWhile) {
  scheduler.start();
  add_agent(make_agent("a"));
  api::Task task = make_task("t");
  task.status.attempts = {rejection("a", 0s)};
  add_task(task);
  EXPECT_EQ(outlook("t").explanation->verdict, Verdict::OnlyRejecters);
  EXPECT_THAT(rejected("t"), ElementsAre("a rejected this task"));
  clock.advance(1s);
  add_task(task);
  EXPECT_EQ(agent_of("t"), "a");
}

TEST_F(SchedulerTest, WaitingTasksAreToldSparinglyThatTheirReasonChanged) {
  scheduler.start();
  add_agent(make_agent("a", {"other"}));
  for (int i = 0; i < 300; ++i) {
    add_task("t" + std::to_string(i));
  }
  EXPECT_THAT(refreshed, IsEmpty());
  add_agent(make_agent("b", {"compile"}, 1));
  EXPECT_THAT(matched, SizeIs(1));
  EXPECT_THAT(refreshed, SizeIs(MatchBoard::kMaxAnnounced));
  refreshed.clear();
  add_agent(make_agent("c", {"compile"}, 1));
  EXPECT_THAT(refreshed, IsEmpty()) << "they still wait for capacity";
  api::Agent busy = make_agent("a", {"other"});
  busy.status.active_tasks = 7;
  add_agent(busy);
  EXPECT_THAT(refreshed, IsEmpty());
}

TEST_F(SchedulerTest, KnowsHowLongATaskHasWaited) {
  scheduler.start();
  add_task("t");
  clock.advance(3s);
  add_task("t", 4);
  EXPECT_EQ(outlook("t").waited, 3s);
}

TEST_F(SchedulerTest, ARecreatedTaskOrAgentIsAnotherOne) {
  scheduler.start();
  add_agent(make_agent("a", {"compile"}, 1));
  add_task("t1");
  confirm("t1");
  api::Task reborn = make_task("t1");
  reborn.meta.uid = "uid-new";
  add_task(reborn);
  EXPECT_EQ(scheduler.outlook({"default", "t1"}, "uid-new").reservation->agent_name, "a");
  EXPECT_FALSE(outlook("t1").reservation);
}

// --- Against a model that scans everything ---

struct Model {
  std::map<std::string, api::Task> tasks;
  std::map<std::string, api::Agent> agents;
  std::map<std::string, std::string> held;  // Task -> agent: reserved or assigned
  WallTime now;

  int load(const std::string& agent) const {
    return static_cast<int>(
        std::count_if(held.begin(), held.end(), [&](const auto& entry) { return entry.second == agent; }));
  }
  static bool fits(const api::Agent& agent, const Demand& demand) {
    return AgentFacts::of(agent).match(demand.requirement).has_value() &&
           (demand.offer.pinned.empty() || demand.offer.pinned == agent.meta.name);
  }
  std::string best(const Demand& demand) const {
    const auto excluded = [&](const std::string& name) {
      return std::count(demand.offer.excluded.begin(), demand.offer.excluded.end(), name) > 0;
    };
    const bool others = std::any_of(agents.begin(), agents.end(), [&](const auto& entry) {
      return fits(entry.second, demand) && !excluded(entry.first);
    });
    std::string best_name;
    int best_score = 0;
    for (const auto& [name, agent] : agents) {
      const bool allowed = !excluded(name) || (!others && demand.offer.reoffer);
      if (!fits(agent, demand) || !allowed || load(name) >= agent.spec.capacity) {
        continue;
      }
      const int score = *AgentFacts::of(agent).match(demand.requirement) - load(name);
      if (best_name.empty() || score > best_score) {
        best_name = name;
        best_score = score;
      }
    }
    return best_name;
  }
  // Gives back reservations that no longer hold, then serves the queue in order.
  void settle() {
    for (auto it = held.begin(); it != held.end();) {
      const api::Task& task = tasks.at(it->first);
      const bool assigned = task.status.phase == api::TaskPhase::Assigned;
      const Demand demand = demand_of(task, now);
      const auto agent = agents.find(it->second);
      const bool valid =
          demand.kind == Demand::Kind::Waiting && agent != agents.end() && fits(agent->second, demand);
      it = assigned || valid ? std::next(it) : held.erase(it);
    }
    std::vector<const api::Task*> queue;
    for (const auto& [name, task] : tasks) {
      if (!held.contains(name) && demand_of(task, now).kind == Demand::Kind::Waiting) {
        queue.push_back(&task);
      }
    }
    std::sort(queue.begin(), queue.end(), [](const api::Task* a, const api::Task* b) {
      return std::tie(b->spec.priority, a->meta.creation_timestamp, a->meta.uid) <
             std::tie(a->spec.priority, b->meta.creation_timestamp, b->meta.uid);
    });
    for (const api::Task* task : queue) {
      const std::string agent = best(demand_of(*task, now));
      if (!agent.empty()) {
        held[task->meta.name] = agent;
      }
    }
  }
};

class SchedulerModelTest : public SchedulerTest, public ::testing::WithParamInterface<std::uint64_t> {
 protected:
  std::uint64_t roll(std::uint64_t sides) { return random->next() % sides; }
  std::string any_task() { return "t" + std::to_string(roll(25)); }
  std::string any_agent() { return "a" + std::to_string(roll(6)); }

  void change_task() {
    const std::string name = any_task();
    const bool is_new = !model.tasks.contains(name);
    api::Task& task = model.tasks.try_emplace(name, make_task(name)).first->second;
    if (is_new) {
      static constexpr const char* kTypes[] = {"compile", "test", "gpu"};
      task.spec.type = kTypes[roll(3)];
      task.spec.agent_name = roll(5) == 0 ? any_agent() : "";
      if (roll(4) == 0) {
        task.spec.requires_.agent_selector.match_labels = {{"tier", roll(2) == 0 ? "x" : "y"}};
      }
      if (roll(3) == 0) {
        task.status.attempts = {rejection(any_agent(), roll(2) == 0 ? -1h : 0s)};
        // A pinned Task that was just rejected waits for time, which stands still in this test.
      }
    }
    task.spec.priority = static_cast<int>(roll(5)) + 1;
    task.meta.creation_timestamp = is_new ? at(-std::chrono::seconds(roll(5))) : task.meta.creation_timestamp;
    task.spec.suspend = roll(8) == 0;
    add_task(task);
  }
  // Writes what is reserved, ends what is assigned.
  void move_task() {
    const auto found = model.tasks.find(any_task());
    if (found == model.tasks.end()) {
      return;
    }
    api::Task& task = found->second;
    if (task.status.phase == api::TaskPhase::Assigned) {
      model.held.erase(task.meta.name);
      task.status.phase = roll(2) == 0 ? api::TaskPhase::Succeeded : api::TaskPhase::Queued;
      task.status.agent_name.clear();
    } else if (const auto held = model.held.find(task.meta.name); held != model.held.end()) {
      task.status.phase = api::TaskPhase::Assigned;
      task.status.agent_name = held->second;
    }
    add_task(task);
  }
  void remove_task() {
    const std::string name = any_task();
    model.held.erase(name);
    model.tasks.erase(name);
    scheduler.remove_task({"default", name}, "uid-" + name);
  }
  void change_agent() {
    static const std::vector<std::vector<std::string>> kSets = {
        {"compile"}, {"compile", "test"}, {"*"}, {"gpu", "*"}};
    api::Agent agent = make_agent(any_agent(), kSets[roll(4)], static_cast<int>(roll(3)) + 1);
    agent.spec.cordoned = roll(6) == 0;
    agent.status.phase = roll(6) == 0 ? api::AgentPhase::Offline : api::AgentPhase::Ready;
    agent.meta.labels = {{"tier", roll(2) == 0 ? "x" : "y"}};
    model.agents[agent.meta.name] = agent;
    add_agent(agent);
  }
  void remove_agent() {
    const std::string name = any_agent();
    model.agents.erase(name);
    scheduler.remove_agent({"default", name}, "uid-" + name);
  }

  void compare(int step) {
    model.settle();
    for (const auto& [name, task] : model.tasks) {
      if (task.status.phase == api::TaskPhase::Assigned) {
        continue;
      }
      const auto expected = model.held.find(name);
      ASSERT_EQ(agent_of(name), expected == model.held.end() ? "" : expected->second)
          << "Task " << name << " after step " << step << ", seed " << GetParam();
    }
  }

  std::unique_ptr<Random> random = make_seeded_random(GetParam());
  Model model;
};

TEST_P(SchedulerModelTest, DecidesAsIfItScannedEverything) {
  model.now = kNow;
  scheduler.start();
  for (int step = 0; step < 1500 && !HasFatalFailure(); ++step) {
    const std::uint64_t dice = roll(20);
    if (dice < 8) {
      change_task();
    } else if (dice < 14) {
      move_task();
    } else if (dice < 15) {
      remove_task();
    } else if (dice < 19) {
      change_agent();
    } else {
      remove_agent();
    }
    compare(step);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerModelTest, ::testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace convoke::task
