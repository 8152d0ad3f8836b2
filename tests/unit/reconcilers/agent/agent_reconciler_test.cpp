#include "reconcilers/agent/agent_reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/agent/reasons.h"
#include "tests/unit/reconcilers/testbed.h"

namespace convoke::agent {
namespace {

using namespace std::chrono_literals;
using api::kAgent;
using api::kTask;
using convoke::testing::kOperator;
using convoke::testing::metadata;
using convoke::testing::Testbed;
using convoke::testing::World;
using fakes::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct AgentOperator : Testbed {
  explicit AgentOperator(World& the_world, std::uint64_t seed = 7, bool leads = true)
      : Testbed(the_world, seed) {
    add_controller("agent", reconciler);
    reconciler.watch(controller->queue());
    add_reflector(kAgent, caches.agents);
    add_reflector(kube::kLease, caches.heartbeats, api::label::kAgent);
    add_reflector(kTask, caches.tasks);
    sync();
    if (leads) lead();
  }
  ~AgentOperator() { stop(); }

  void lead() {
    reconciler.start();
    controller->start();
    world.clock.settle();
  }

  AgentReconciler reconciler{{client, caches, world.clock, world.events, registry}, Logger()};
};

class AgentReconcilerTest : public ::testing::Test {
 protected:
  void create_agent(const std::string& name) {
    world.server.put(kAgent, {{"metadata", metadata(name)}, {"spec", {{"capabilities", {"compile"}}}}});
  }
  void beat(const std::string& name) {
    Json meta = metadata("convoke-agent-" + name);
    meta["labels"] = {{api::label::kAgent, name}};
    world.server.put(
        kube::kLease,
        {{"metadata", meta},
         {"spec",
          {{"holderIdentity", "pod-" + name}, {"renewTime", format_micro_time(world.clock.wall_now())}}}});
  }
  // Renews every 30 s, as agents do.
  void beat_for(const std::string& name, Duration duration) {
    for (Duration passed = 0s; passed < duration; passed += 30s) {
      world.clock.advance(30s);
      beat(name);
    }
    settle();
  }
  void set_task(const std::string& name, const std::string& phase) {
    world.server.put(kTask, {{"metadata", metadata(name)},
                             {"spec", {{"type", "compile"}}},
                             {"status", {{"phase", phase}, {"agentName", "a"}}}});
  }
  // Of a Task that an agent has just ended.
  void end_task(const std::string& name, const std::string& outcome, Duration ago = 0s) {
    const WallTime now = world.clock.wall_now() - ago;
    const Json attempt = {{"attempt", 1},
                          {"agentName", "a"},
                          {"assignmentID", "id-" + name},
                          {"outcome", outcome},
                          {"assignedAt", format_micro_time(now - 2s)},
                          {"finishedAt", format_micro_time(now)}};
    set_task(name, "Running");
    settle();
    world.server.put(kTask, {{"metadata", metadata(name)},
                             {"spec", {{"type", "compile"}}},
                             {"status", {{"phase", "Failed"}, {"attempts", {attempt}}}}});
    settle();
  }
  void end_tasks(const std::string& prefix, int count, const std::string& outcome) {
    for (int i = 0; i < count; ++i) {
      end_task(prefix + std::to_string(i), outcome);
      world.clock.advance(1ms);
    }
  }
  std::string circuit(const std::string& name) const { return status(name).value("circuit", ""); }
  // Keeps the heartbeat going.
  void pass(const std::string& name, Duration duration) {
    beat(name);
    settle();
    world.clock.advance(duration);
  }

  void settle() { world.clock.settle(); }
  Json status(const std::string& name) const {
    const auto agent = world.server.object(kAgent, {"default", name});
    return agent && agent->contains("status") ? (*agent)["status"] : Json::object();
  }
  std::string phase(const std::string& name) const { return status(name).value("phase", ""); }
  std::size_t writes() const { return world.server.write_count(kOperator); }

  World world;
};

TEST_F(AgentReconcilerTest, SilenceMakesAnAgentOfflineAndAHeartbeatBringsItBack) {
  AgentOperator op(world);
  create_agent("a");
  settle();
  EXPECT_EQ(phase("a"), "Pending");
  beat("a");
  settle();
  EXPECT_EQ(phase("a"), "Ready");
  world.clock.advance(89s);
  EXPECT_EQ(phase("a"), "Ready");
  world.clock.advance(1s);
  EXPECT_EQ(phase("a"), "Offline");
  world.clock.advance(10min);
  beat("a");
  settle();
  EXPECT_EQ(phase("a"), "Ready");
  EXPECT_EQ(writes(), 4U);
  EXPECT_THAT(world.events.of("a"), ElementsAre(reason::kReady, reason::kHeartbeatTooOld, reason::kReady));
  EXPECT_THAT(op.metrics(), HasSubstr("convoke_agents{phase=\"Ready\"} 1"));
}

TEST_F(AgentReconcilerTest, AWrongWallClockMakesNobodyOffline) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  world.clock.skew(48h);
  beat_for("a", 5min);
  world.clock.skew(-96h);
  beat_for("a", 5min);
  EXPECT_EQ(phase("a"), "Ready");
  EXPECT_EQ(writes(), 1U);
}

TEST_F(AgentReconcilerTest, AnAgentThatTasksAreBroughtToLivesByWhatIsHeardOfIt) {
  AgentOperator op(world);
  world.server.put(kAgent, {{"metadata", metadata("svc")},
                            {"spec", {{"dispatch", {{"mode", "HTTP"}, {"http", {{"url", "http://h"}}}}}}}});
  beat("svc");  // a Lease says nothing of it
  settle();
  EXPECT_EQ(phase("svc"), "Pending");
  op.reconciler.not_heard({"default", "svc"}, {reason::kSecretNotReadable, "there is no Secret x"});
  settle();
  EXPECT_EQ(status("svc")["conditions"][0]["reason"], reason::kSecretNotReadable);
  op.reconciler.heard({"default", "svc"});
  settle();
  EXPECT_EQ(phase("svc"), "Ready");
  world.clock.advance(60s);
  op.reconciler.heard({"default", "svc"});
  op.reconciler.not_heard({"default", "svc"}, {reason::kHealthCheckFailed, "503"});
  world.clock.advance(89s);
  EXPECT_EQ(phase("svc"), "Ready");
  world.clock.advance(2s);
  EXPECT_EQ(phase("svc"), "Offline");
  EXPECT_THAT(world.events.of("svc"),
              ElementsAre(reason::kSecretNotReadable, reason::kReady, reason::kHealthCheckFailed));
}

TEST_F(AgentReconcilerTest, ADeletedLeaseIsSilence) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  world.server.remove(kube::kLease, {"default", "convoke-agent-a"});
  world.clock.advance(90s);
  EXPECT_EQ(phase("a"), "Offline");
}

TEST_F(AgentReconcilerTest, ALateWatchMakesNobodyOffline) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  world.clock.advance(60s);
  world.server.freeze(kOperator, true);
  beat("a");
  world.clock.advance(20s);
  world.server.freeze(kOperator, false);
  world.clock.advance(15s);
  EXPECT_EQ(phase("a"), "Ready");
}

TEST_F(AgentReconcilerTest, WhileTheApiIsAwaySilenceProvesNothing) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  world.server.partition(kOperator, true);
  world.clock.advance(10min);
  world.server.partition(kOperator, false);
  world.clock.advance(50s);
  EXPECT_EQ(phase("a"), "Ready") << "it gets its time to come back";
  world.clock.advance(2min);
  EXPECT_EQ(phase("a"), "Offline");
}

TEST_F(AgentReconcilerTest, AnApiThatAnswersLateKeptTheAgentWaitingToo) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  world.clock.advance(89s);
  world.server.set_latency(4s);
  world.clock.advance(6s);
  world.server.set_latency(0s);
  world.clock.advance(50s);
  EXPECT_EQ(phase("a"), "Ready") << "it gets its time to come back";
  world.clock.advance(2min);
  EXPECT_EQ(phase("a"), "Offline");
}

TEST_F(AgentReconcilerTest, ANewOperatorBelievesNeitherInOldHeartbeatsNorInOldSilence) {
  {
    AgentOperator first(world);
    create_agent("dead");
    create_agent("alive");
    beat("dead");
    beat("alive");
    settle();
    world.clock.advance(2min);
    beat("alive");
    settle();
    ASSERT_EQ(phase("dead"), "Offline");
  }
  AgentOperator second(world, 8);
  EXPECT_EQ(phase("dead"), "Offline");
  EXPECT_EQ(phase("alive"), "Ready");
  world.clock.advance(80s);
  EXPECT_EQ(phase("alive"), "Ready");
  world.clock.advance(10s);
  EXPECT_EQ(phase("alive"), "Offline");
}

TEST_F(AgentReconcilerTest, AStandbyRemembersNothingOfAnAgentThatIsGone) {
  AgentOperator standby(world, 8, false);
  create_agent("a");
  beat("a");
  settle();
  world.server.remove(kube::kLease, {"default", "convoke-agent-a"});
  settle();
  world.server.remove(kAgent, {"default", "a"});
  settle();
  world.clock.advance(1h);
  world.server.put(kAgent, {{"metadata", metadata("a")},
                            {"spec", {{"capabilities", {"compile"}}}},
                            {"status", {{"phase", "Ready"}}}});
  settle();
  standby.lead();
  world.clock.advance(80s);
  EXPECT_EQ(phase("a"), "Ready") << "the silence of the former one is not its own";
  world.clock.advance(20s);
  EXPECT_EQ(phase("a"), "Offline");
}

TEST_F(AgentReconcilerTest, AnAgentThatVanishedWithItsLeaseWhileNobodyLookedGoesOffline) {
  {
    AgentOperator first(world);
    create_agent("a");
    beat("a");
    settle();
  }
  world.server.remove(kube::kLease, {"default", "convoke-agent-a"});
  AgentOperator second(world, 8);
  EXPECT_EQ(phase("a"), "Ready");
  world.clock.advance(90s);
  EXPECT_EQ(phase("a"), "Offline");
}

TEST_F(AgentReconcilerTest, RenewalsCostNoWritesAndHardlyAnyReconciles) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  beat_for("a", 1h);
  EXPECT_EQ(phase("a"), "Ready");
  EXPECT_EQ(writes(), 1U);
  // 120 renewals; a look each 60 to 90 s.
  const std::string metrics = op.metrics();
  const std::string name =
      R"(controller_runtime_reconcile_total{controller="agent",result="requeue_after"} )";
  const std::size_t found = metrics.find(name);
  ASSERT_NE(found, std::string::npos);
  EXPECT_LE(std::stoi(metrics.substr(found + name.size())), 65);
}

TEST_F(AgentReconcilerTest, CordoningDrains) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  world.server.edit(kAgent, {"default", "a"}, [](Json& agent) { agent["spec"]["cordoned"] = true; });
  settle();
  EXPECT_EQ(phase("a"), "Draining");
  EXPECT_EQ(status("a")["observedGeneration"], 2);
}

TEST_F(AgentReconcilerTest, TheNumberOfActiveTasksIsWrittenAtMostOnceInTenSeconds) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  for (int i = 0; i < 200; ++i) {
    set_task("t" + std::to_string(i), "Running");
    world.clock.advance(100ms);
  }
  world.clock.advance(10s);
  EXPECT_EQ(status("a")["activeTasks"], 200);
  EXPECT_LE(writes(), 1U + 3U);
  for (int i = 0; i < 200; ++i) {
    set_task("t" + std::to_string(i), "Succeeded");
  }
  world.clock.advance(10s);
  EXPECT_EQ(status("a")["activeTasks"], 0);
}

TEST_F(AgentReconcilerTest, AConflictIsDecidedAgain) {
  AgentOperator op(world);
  world.server.fail_next({.method = "PUT"}, Fault::conflict(), 2);
  create_agent("a");
  beat("a");
  settle();
  world.clock.advance(3s);
  EXPECT_EQ(phase("a"), "Ready");
}

// --- Attempts and the circuit ---

TEST_F(AgentReconcilerTest, EachAttemptIsCountedOnceOverRestartsAndConflicts) {
  create_agent("a");
  beat("a");
  for (int life = 0; life < 4; ++life) {
    AgentOperator op(world, 7 + static_cast<std::uint64_t>(life));
    world.server.fail_next({.method = "PUT"}, Fault::conflict(), 1);
    end_tasks("ok-" + std::to_string(life) + "-", 30, "Succeeded");
    end_tasks("bad-" + std::to_string(life) + "-", 2, "Failed");
    end_tasks("moved-" + std::to_string(life) + "-", 2, "Rebalanced");
    if (life % 2 == 0) pass("a", 11s);  // else it dies before it wrote them
  }
  AgentOperator last(world, 99);
  pass("a", 11s);
  EXPECT_EQ(status("a")["completedTasks"], 120);
  EXPECT_EQ(status("a")["failedTasks"], 8);
}

TEST_F(AgentReconcilerTest, AWriteWhoseAnswerIsLostCountsNothingTwice) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  end_tasks("ok-", 30, "Succeeded");
  world.server.fail_next({.method = "PUT"}, Fault::drop_answer(), 2);
  pass("a", 30s);
  pass("a", 30s);
  EXPECT_EQ(status("a")["completedTasks"], 30);
}

TEST_F(AgentReconcilerTest, AWallClockThatWasSetBackHidesNoFailure) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  end_tasks("ok-", 30, "Succeeded");
  pass("a", 11s);
  world.clock.skew(-48h);
  end_tasks("bad-", 5, "Failed");
  EXPECT_EQ(circuit("a"), "Open");
  EXPECT_EQ(status("a")["failedTasks"], 5);
  pass("a", 30s);
  EXPECT_EQ(circuit("a"), "HalfOpen");
}

TEST_F(AgentReconcilerTest, ACircuitOutlivesTheOperatorInEachState) {
  create_agent("a");
  beat("a");
  {
    AgentOperator op(world);
    end_tasks("bad-", 5, "Failed");
    ASSERT_EQ(circuit("a"), "Open");
    EXPECT_EQ(phase("a"), "Degraded");
    pass("a", 20s);
  }
  {
    AgentOperator op(world, 8);
    EXPECT_EQ(circuit("a"), "Open");
    pass("a", 9s);
    EXPECT_EQ(circuit("a"), "Open");
    pass("a", 2s);
    ASSERT_EQ(circuit("a"), "HalfOpen") << "what passed before the restart counts";
    end_tasks("ok-", 2, "Succeeded");
    pass("a", 11s);
    EXPECT_EQ(status("a")["halfOpenSuccesses"], 2);
  }
  AgentOperator op(world, 9);
  EXPECT_EQ(circuit("a"), "HalfOpen");
  end_tasks("last-", 1, "Succeeded");
  EXPECT_EQ(circuit("a"), "Closed");
  EXPECT_EQ(phase("a"), "Ready");
  EXPECT_EQ(status("a")["completedTasks"], 3);
  EXPECT_THAT(world.events.of("a"),
              ElementsAre(reason::kReady, reason::kCircuitOpen, reason::kCircuitHalfOpen, reason::kReady));
  EXPECT_THAT(op.metrics(), HasSubstr("convoke_agent_circuits{circuit=\"Closed\"} 1"));
}

TEST_F(AgentReconcilerTest, ManyAttemptsAreFewWrites) {
  AgentOperator op(world);
  create_agent("a");
  beat("a");
  settle();
  const std::size_t before = writes();
  end_tasks("ok-", 500, "Succeeded");
  pass("a", 11s);
  EXPECT_EQ(status("a")["completedTasks"], 500);
  EXPECT_LE(writes() - before, 3U);
}

}  // namespace
}  // namespace convoke::agent
