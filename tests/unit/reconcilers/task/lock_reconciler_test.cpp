// The locks as a whole: TaskReconciler, LockKeeper and LockReconciler on a fake API server.
#include "reconcilers/task/lock_reconciler.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/reasons.h"
#include "reconcilers/task/task_reconciler.h"
#include "tests/unit/reconcilers/testbed.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using api::kAgent;
using api::kTask;
using convoke::testing::kOperator;
using convoke::testing::metadata;
using convoke::testing::Testbed;
using convoke::testing::World;
using fakes::Fault;
using kube::kLease;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct LockOperator : Testbed {
  explicit LockOperator(World& the_world, std::uint64_t seed = 7, bool leads = true)
      : Testbed(the_world, seed) {
    add_controller("task", tasks);
    lock_controller = std::make_unique<runtime::Controller>(runtime::ControllerOptions{"lock", 2, {}}, locks,
                                                            world.clock, Logger(), registry);
    tasks.watch(controller->queue());
    locks.watch(lock_controller->queue());
    add_reflector(kAgent, caches.agents);
    add_reflector(kLease, caches.locks, api::label::kLock);
    add_reflector(kTask, caches.tasks);
    sync();
    if (leads) lead();
  }
  // As kill -9: what is under way is cut off.
  ~LockOperator() {
    transport->shutdown();
    client.shutdown();
    lock_controller->stop(1s);
    stop();
  }

  void lead() {
    scheduler.start();
    controller->start();
    lock_controller->start();
    world.clock.settle();
  }

  TaskMetrics task_metrics{registry};
  LockMetrics lock_metrics{registry};
  Scheduler scheduler{world.clock, task_metrics, *random};
  LockKeeper keeper{client, caches, world.clock, lock_metrics, Logger()};
  TaskReconciler tasks{
      {client, caches, scheduler, world.clock, *random, world.events, task_metrics, nullptr, &keeper},
      Logger()};
  LockReconciler locks{{client, caches, scheduler, keeper, world.clock, world.events, lock_metrics},
                       Logger()};
  std::unique_ptr<runtime::Controller> lock_controller;
};

class LockReconcilerTest : public ::testing::Test {
 protected:
  LockReconcilerTest() { create_agent("agent"); }

  // --- What people and agents do ---
  void create_agent(const std::string& name, const std::string& capability = "compile") {
    world.server.put(kAgent, {{"metadata", metadata(name)},
                              {"spec", {{"capabilities", {capability}}, {"capacity", 100}}},
                              {"status", {{"phase", "Ready"}}}});
  }
  static Json lock(const std::string& name, const std::string& mode = "Exclusive", int permits = 0) {
    Json json = {{"name", name}, {"mode", mode}};
    if (permits > 0) {
      json["permits"] = permits;
    }
    return json;
  }
  void create_task(const std::string& name, const Json& locks, int priority = 3) {
    world.server.put(kTask, {{"metadata", metadata(name)},
                             {"spec",
                              {{"type", "compile"},
                               {"priority", priority},
                               {"locks", locks},
                               {"retry",
                                {{"limit", 50},
                                 {"on", {"Failed", "Timeout", "AgentLost"}},
                                 {"backoff", {{"type", "Fixed"}, {"base", "1s"}, {"max", "1s"}}}}}}}});
    names.insert(name);
  }
  void report(const std::string& name, const std::string& state) {
    world.server.edit(kTask, {"default", name}, [&](Json& task) {
      task["status"]["report"] = {{"state", state}, {"assignmentID", task["status"]["assignment"]["id"]}};
    });
    settle();
  }
  void finish(const std::string& name) { report(name, "Succeeded"); }
  void foreign_lease(const std::string& name, const std::string& holder,
                     const Json& labels = Json::object()) {
    Json meta = metadata("convoke-lock-" + name);
    meta["labels"] = labels;
    world.server.put(kLease, {{"metadata", meta},
                              {"spec",
                               {{"holderIdentity", holder},
                                {"leaseDurationSeconds", 15},
                                {"leaseTransitions", 7},
                                {"renewTime", "2026-01-01T00:00:00.000000Z"}}}});
  }

  // --- What is ---
  void settle() { world.clock.settle(); }
  Json status(const std::string& name) const {
    const auto task = world.server.object(kTask, {"default", name});
    return task && task->contains("status") ? (*task)["status"] : Json::object();
  }
  std::string phase(const std::string& name) const { return status(name).value("phase", ""); }
  std::string reason(const std::string& name) const { return status(name).value("reason", ""); }
  bool is_live(const std::string& name) const {
    return phase(name) == "Assigned" || phase(name) == "Running";
  }
  std::int64_t token(const std::string& name, const std::string& lock) const {
    return status(name).at("assignment").at("fencing").at(lock).get<std::int64_t>();
  }
  std::vector<std::string> live() const {
    std::vector<std::string> all;
    for (const std::string& name : names) {
      if (is_live(name)) {
        all.push_back(name);
      }
    }
    return all;
  }
  LockRecord record(const std::string& lock) const {
    const auto lease = world.server.object(kLease, {"default", "convoke-lock-" + lock});
    return lease ? LockRecord::of(kube::Lease::from_json(*lease)) : LockRecord();
  }
  std::vector<std::string> holders(const std::string& lock) const {
    std::vector<std::string> tasks;
    for (const LockHolder& holder : record(lock).holders) {
      tasks.push_back(holder.task);
    }
    return tasks;
  }
  bool nothing_is_held() const {
    for (const Json& lease : world.server.objects(kLease)) {
      if (LockRecord::of(kube::Lease::from_json(lease)).is_held()) {
        return false;
      }
    }
    return true;
  }
  // Whoever works has its locks, and nobody else has them.
  void check_locks() {
    std::map<std::string, std::vector<std::string>> exclusive;
    for (const std::string& name : live()) {
      const Json fencing = status(name)["assignment"].value("fencing", Json::object());
      for (const auto& [lock, token] : fencing.items()) {
        const LockRecord now = record(lock);
        const LockHolder* holder = now.find(uid(name));
        if (holder != nullptr && holder->token == token.get<std::int64_t>() &&
            holder->mode == api::LockMode::Exclusive) {
          exclusive[lock].push_back(name);
        }
      }
    }
    for (const auto& [lock, tasks] : exclusive) {
      EXPECT_LE(tasks.size(), 1U) << lock;
    }
  }
  std::string uid(const std::string& name) const {
    return (*world.server.object(kTask, {"default", name}))["metadata"]["uid"];
  }

  World world;
  std::set<std::string> names;
};

// --- Every day ---

TEST_F(LockReconcilerTest, OneAfterTheOtherWithRisingTokens) {
  LockOperator op(world);
  for (const char* name : {"a", "b", "c"}) {
    create_task(name, Json::array({lock("deploy")}));
  }
  std::int64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    settle();
    ASSERT_EQ(live().size(), 1U);
    const std::string now = live().front();
    EXPECT_THAT(holders("deploy"), ElementsAre(now));
    EXPECT_GT(token(now, "deploy"), last);
    last = token(now, "deploy");
    world.clock.advance(25s);
    finish(now);
  }
  settle();
  EXPECT_TRUE(nothing_is_held());
  EXPECT_EQ(record("deploy").lease.lease_transitions, 3);
  EXPECT_EQ(record("deploy").lease.meta.label(api::label::kLock), "deploy");
}

TEST_F(LockReconcilerTest, WhoWaitsSaysForWhatAndBehindWhom) {
  LockOperator op(world);
  create_task("holder", Json::array({lock("deploy")}));
  settle();
  create_task("waiter", Json::array({lock("deploy")}));
  settle();
  EXPECT_EQ(phase("waiter"), "") << "a short wait is not worth a write";
  world.clock.advance(2s);
  EXPECT_EQ(phase("waiter"), "Queued");
  EXPECT_EQ(reason("waiter"), reason::kWaitingForLock);
  EXPECT_EQ(status("waiter")["waitingForLock"],
            (Json{{"name", "deploy"}, {"position", 1}, {"heldBy", "Task holder (Exclusive)"}}));
  EXPECT_THAT(status("waiter")["message"], HasSubstr("position 1, held by Task holder (Exclusive)"));
  finish("holder");
  EXPECT_TRUE(is_live("waiter"));
  EXPECT_FALSE(status("waiter").contains("waitingForLock"));
}

TEST_F(LockReconcilerTest, AHandOverCostsNoWriteForThoseThatGoOnWaiting) {
  LockOperator op(world);
  create_task("t0", Json::array({lock("deploy")}));
  settle();
  for (int i = 1; i < 50; ++i) {
    create_task("t" + std::to_string(i), Json::array({lock("deploy")}));
    world.clock.advance(1s);
  }
  world.clock.advance(2s);
  const std::size_t before = world.server.write_count(kOperator);
  finish("t0");
  // The Task's end, the lock freed, taken, and the next Task assigned.
  EXPECT_LE(world.server.write_count(kOperator) - before, 4U);
  EXPECT_EQ(live().size(), 1U);
}

TEST_F(LockReconcilerTest, TheMostUrgentIsNextAndOneThatNobodyCanRunKeepsNobodyWaiting) {
  LockOperator op(world);
  create_task("holder", Json::array({lock("deploy")}));
  settle();
  create_task("low", Json::array({lock("deploy")}), 1);
  create_task("high", Json::array({lock("deploy")}), 4);
  world.server.put(
      kTask, {{"metadata", metadata("hopeless")},
              {"spec", {{"type", "unknown"}, {"priority", 5}, {"locks", Json::array({lock("deploy")})}}}});
  settle();
  EXPECT_EQ(reason("hopeless"), reason::kNoEligibleAgent);
  finish("holder");
  EXPECT_THAT(live(), ElementsAre("high"));
  create_agent("late", "unknown");
  settle();
  finish("high");
  EXPECT_EQ(phase("hopeless"), "Assigned");
  EXPECT_FALSE(is_live("low"));
}

TEST_F(LockReconcilerTest, PermitsAreNeverExceeded) {
  LockOperator op(world);
  for (int i = 0; i < 6; ++i) {
    create_task("t" + std::to_string(i), Json::array({lock("pool", "Shared", 2)}));
  }
  for (int left = 6; left > 0; left -= 2) {
    settle();
    const std::vector<std::string> now = live();
    ASSERT_EQ(now.size(), 2U);
    for (const std::string& name : now) {
      finish(name);
    }
  }
  EXPECT_TRUE(nothing_is_held());
}

TEST_F(LockReconcilerTest, TwoLocksInEitherOrderComeToAnEnd) {
  LockOperator op(world);
  for (int i = 0; i < 20; ++i) {
    create_task("t" + std::to_string(10 + i),
                i % 2 == 0 ? Json::array({lock("a"), lock("b")}) : Json::array({lock("b"), lock("a")}));
  }
  for (int i = 0; i < 20; ++i) {
    settle();
    ASSERT_EQ(live().size(), 1U);
    finish(live().front());
  }
  EXPECT_TRUE(nothing_is_held());
}

TEST_F(LockReconcilerTest, ALockIsRenewedWhileItIsHeld) {
  LockOperator op(world);
  create_task("t", Json::array({lock("deploy")}));
  settle();
  std::string last = record("deploy").lease.renew_time;
  for (int i = 0; i < 10; ++i) {
    world.clock.advance(11s);
    EXPECT_NE(record("deploy").lease.renew_time, last);
    last = record("deploy").lease.renew_time;
  }
  EXPECT_TRUE(is_live("t"));
}

TEST_F(LockReconcilerTest, ARetryAndADeletionFreeTheLockAtOnce) {
  LockOperator op(world);
  create_task("t", Json::array({lock("deploy")}));
  settle();
  report("t", "Failed");
  EXPECT_EQ(phase("t"), "Queued");
  EXPECT_TRUE(nothing_is_held());
  world.clock.advance(2s);
  ASSERT_TRUE(is_live("t"));
  EXPECT_EQ(token("t", "deploy"), 2);
  world.server.remove(kTask, {"default", "t"});
  settle();
  EXPECT_TRUE(nothing_is_held());
}

// --- When it is lost ---

TEST_F(LockReconcilerTest, APersonBreaksItAndTheAttemptEnds) {
  LockOperator op(world);
  create_task("t", Json::array({lock("deploy"), lock("other")}));
  settle();
  create_task("next", Json::array({lock("deploy")}));
  settle();
  world.server.edit(kLease, {"default", "convoke-lock-deploy"}, [](Json& lease) {
    lease["metadata"]["annotations"]["convoke.dev/break-lock"] = "stuck since noon";
  });
  settle();
  EXPECT_EQ(phase("t"), "Queued");
  EXPECT_EQ(status("t")["attempts"][0]["outcome"], "LockLost");
  EXPECT_EQ(status("t")["attempts"][0]["reason"], reason::kLockLost);
  EXPECT_THAT(holders("deploy"), ElementsAre("next"));
  EXPECT_THAT(holders("other"), IsEmpty());
  EXPECT_GT(token("next", "deploy"), 1);
  EXPECT_FALSE(record("deploy").break_reason());
  EXPECT_THAT(world.events.of("t"), Contains(reason::kLockBroken));
  EXPECT_THAT(world.events.of("t"), Contains(reason::kLockLost));
  EXPECT_THAT(world.events.of("convoke-lock-deploy"), ElementsAre(reason::kLockBroken));
}

TEST_F(LockReconcilerTest, ADeletedLeaseEndsTheAttemptAndTheTokenGoesOn) {
  LockOperator op(world);
  create_task("t", Json::array({lock("deploy")}));
  settle();
  world.server.remove(kLease, {"default", "convoke-lock-deploy"});
  settle();
  EXPECT_EQ(status("t")["attempts"][0]["outcome"], "LockLost");
  world.clock.advance(2s);
  EXPECT_GT(token("t", "deploy"), 1);
}

TEST_F(LockReconcilerTest, WhileTheApiCannotBeAskedNoLockIsLost) {
  auto op = std::make_unique<LockOperator>(world);
  create_task("t", Json::array({lock("deploy")}));
  settle();
  op.reset();
  world.server.edit(kLease, {"default", "convoke-lock-deploy"},
                    [](Json& lease) { lease["metadata"]["labels"] = Json::object(); });
  world.server.fail_next({"GET", "leases/convoke-lock"}, Fault::error(503), 40);
  op = std::make_unique<LockOperator>(world);
  world.clock.advance(10s);
  EXPECT_TRUE(is_live("t"));
  world.server.clear_faults();
  world.clock.advance(60s);
  EXPECT_TRUE(is_live("t"));
  EXPECT_EQ(record("deploy").lease.meta.label(api::label::kLock), "deploy") << "it is watched again";
}

// --- Foreign holders ---

TEST_F(LockReconcilerTest, AForeignHolderIsHonouredUntilItDoesNotRenew) {
  LockOperator op(world);
  foreign_lease("deploy", "their-program");  // without our label
  create_task("t", Json::array({lock("deploy")}));
  settle();
  EXPECT_FALSE(is_live("t"));
  for (int i = 0; i < 6; ++i) {
    world.clock.advance(10s);
    EXPECT_FALSE(is_live("t"));
    EXPECT_EQ(record("deploy").foreign, "their-program");
    world.server.edit(kLease, {"default", "convoke-lock-deploy"}, [i](Json& lease) {
      lease["spec"]["renewTime"] = "2026-01-01T00:00:0" + std::to_string(i + 1) + ".000000Z";
    });
  }
  EXPECT_EQ(status("t")["waitingForLock"]["heldBy"], "holder their-program");
  world.clock.advance(14s);
  EXPECT_FALSE(is_live("t"));
  world.clock.advance(3s);
  EXPECT_TRUE(is_live("t"));
  EXPECT_EQ(token("t", "deploy"), 8);
  EXPECT_THAT(world.events.of("convoke-lock-deploy"), ElementsAre(reason::kLockExpired));
}

TEST_F(LockReconcilerTest, AForeignHolderThatReleasesIsFollowedAtOnce) {
  LockOperator op(world);
  foreign_lease("deploy", "their-program", {{"convoke.dev/lock", "deploy"}});
  create_task("t", Json::array({lock("deploy")}));
  settle();
  EXPECT_FALSE(is_live("t"));
  world.server.edit(kLease, {"default", "convoke-lock-deploy"},
                    [](Json& lease) { lease["spec"].erase("holderIdentity"); });
  settle();
  EXPECT_TRUE(is_live("t"));
}

TEST_F(LockReconcilerTest, AStandbyDoesNotTakeALeaseForTheDeletedOneOfThatName) {
  LockOperator standby(world, 8, false);
  foreign_lease("deploy", "their-program", {{"convoke.dev/lock", "deploy"}});
  settle();
  world.server.remove(kLease, {"default", "convoke-lock-deploy"});
  settle();
  world.clock.advance(1h);
  foreign_lease("deploy", "their-program", {{"convoke.dev/lock", "deploy"}});
  settle();
  standby.lead();
  world.clock.advance(14s);
  EXPECT_EQ(record("deploy").foreign, "their-program");
  world.clock.advance(2s);
  EXPECT_EQ(record("deploy").foreign, "");
}

TEST_F(LockReconcilerTest, ATaskThatTookItByTheSameProtocolLosesIt) {
  LockOperator op(world);
  create_task("t", Json::array({lock("deploy")}));
  settle();
  world.server.edit(kLease, {"default", "convoke-lock-deploy"}, [](Json& lease) {
    lease["spec"]["holderIdentity"] = "thief";
    lease["spec"]["leaseTransitions"] = 2;
  });
  settle();
  EXPECT_EQ(status("t")["attempts"][0]["outcome"], "LockLost");
  world.clock.advance(5s);
  EXPECT_EQ(record("deploy").foreign, "thief");
  EXPECT_FALSE(is_live("t"));
}

// --- Faults at every step ---

TEST_F(LockReconcilerTest, WhateverRequestFailsTheLocksComeRight) {
  struct Case {
    std::string method, path;
  };
  const std::vector<Case> requests = {{"POST", "leases"},
                                      {"PUT", "leases/convoke-lock-a"},
                                      {"PUT", "leases/convoke-lock-b"},
                                      {"PUT", "tasks/"},
                                      {"GET", "leases/"},
                                      {"GET", "tasks/"}};
  const std::vector<Fault> faults = {Fault::drop_request(), Fault::drop_answer(), Fault::conflict(),
                                     Fault::error(500)};
  int round = 0;
  for (const Case& request : requests) {
    for (const Fault& fault : faults) {
      for (const int times : {1, 3}) {
        SCOPED_TRACE(request.method + " " + request.path + " round " + std::to_string(round));
        LockOperator op(world);
        const std::string suffix = std::to_string(++round);
        create_task("x" + suffix, Json::array({lock("b"), lock("a")}));
        world.server.fail_next({request.method, request.path, kOperator}, fault, times);
        create_task("y" + suffix, Json::array({lock("a"), lock("b")}));
        int finished = 0;
        for (int second = 0; second < 600 && finished < 2; ++second) {
          world.clock.advance(1s);
          check_locks();
          const std::vector<std::string> now = live();
          ASSERT_LE(now.size(), 1U);
          if (!now.empty() && second % 3 == 0) {
            finish(now.front());
            ++finished;
          }
        }
        ASSERT_EQ(finished, 2);
        world.clock.advance(15s);
        ASSERT_TRUE(nothing_is_held());
        world.server.clear_faults();
        names.clear();
      }
    }
  }
}

TEST_F(LockReconcilerTest, AnOperatorThatDiesAfterAnyWriteLeaksNothing) {
  for (std::size_t crash_after = 0; crash_after < 14; ++crash_after) {
    SCOPED_TRACE("killed after write " + std::to_string(crash_after));
    names.clear();
    const std::string suffix = std::to_string(crash_after);
    create_task("x" + suffix, Json::array({lock("a"), lock("b")}));
    create_task("y" + suffix, Json::array({lock("b"), lock("a")}));
    std::map<std::string, std::int64_t> tokens;
    {
      // From this write on nothing of this operator takes effect.
      LockOperator op(world, 100 + crash_after);
      const std::size_t start = world.server.write_count(kOperator);
      for (int second = 0; second < 40; ++second) {
        if (world.server.write_count(kOperator) - start >= crash_after) {
          world.server.partition(kOperator, true);
          break;
        }
        world.clock.advance(100ms);
        if (!live().empty() && second % 2 == 1) {
          finish(live().front());
        }
      }
      world.server.partition(kOperator, true);
    }
    world.server.partition(kOperator, false);
    LockOperator op(world, 200 + crash_after);
    for (int second = 0; second < 120; ++second) {
      world.clock.advance(1s);
      check_locks();
      ASSERT_LE(live().size(), 1U);
      if (!live().empty()) {
        const std::string name = live().front();
        for (const char* lock : {"a", "b"}) {
          EXPECT_GE(token(name, lock), tokens[lock]);
          tokens[lock] = token(name, lock);
        }
        finish(name);
      }
    }
    EXPECT_EQ(phase("x" + suffix), "Succeeded");
    EXPECT_EQ(phase("y" + suffix), "Succeeded");
    EXPECT_TRUE(nothing_is_held());
  }
}

TEST_F(LockReconcilerTest, ALockOfATaskThatWasNeverAssignedIsFreedByTheNextOperator) {
  {
    LockOperator op(world);
    world.server.fail_next({"PUT", "tasks/t/status", kOperator}, Fault::drop_request(), 1000);
    create_task("t", Json::array({lock("deploy")}));
    settle();
    EXPECT_THAT(holders("deploy"), ElementsAre("t"));
  }
  world.server.clear_faults();
  world.server.edit(kTask, {"default", "t"}, [](Json& task) { task["spec"]["suspend"] = true; });
  LockOperator op(world);
  world.clock.advance(3s);
  EXPECT_TRUE(nothing_is_held());
}

TEST_F(LockReconcilerTest, ANewOperatorKeepsTheLocksOfTasksThatAreAtWork) {
  {
    LockOperator op(world);
    create_task("t", Json::array({lock("deploy")}));
    settle();
  }
  world.clock.advance(1h - 1min);  // nobody renewed it meanwhile
  LockOperator op(world);
  create_task("next", Json::array({lock("deploy")}));
  world.clock.advance(20s);
  EXPECT_TRUE(is_live("t"));
  EXPECT_THAT(holders("deploy"), ElementsAre("t"));
  EXPECT_FALSE(is_live("next"));
  finish("t");
  EXPECT_TRUE(is_live("next"));
}

}  // namespace
}  // namespace convoke::task
