#include "reconcilers/task/task_reconciler.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/reasons.h"
#include "tests/unit/reconcilers/task/task_world.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using fakes::Fault;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class TaskReconcilerTest : public testing::TaskWorldTest {};

// --- Agents that want less, and later ---

TEST_F(TaskReconcilerTest, ARateLimitIsKeptWithoutPollingAndOverARestart) {
  auto op = std::make_unique<TaskOperator>(world);
  create_agent("a", 100);
  world.server.edit(kAgent, {"default", "a"}, [](Json& agent) {
    agent["spec"]["rateLimit"] = {{"tasksPerMinute", 60}, {"burst", 2}};
  });
  settle();
  const auto assigned = [&] {
    int count = 0;
    for (int i = 0; i < 20; ++i) count += phase("t" + std::to_string(i)) == "Assigned" ? 1 : 0;
    return count;
  };
  for (int i = 0; i < 20; ++i) create_task("t" + std::to_string(i));
  settle();
  EXPECT_EQ(assigned(), 2);
  world.clock.advance(5s);
  EXPECT_EQ(assigned(), 7);
  EXPECT_EQ(reason("t19"), reason::kAgentsBusy);
  op.reset();
  op = std::make_unique<TaskOperator>(world, 8);
  EXPECT_LE(assigned(), 8) << "no new burst";
  world.clock.advance(5s);
  EXPECT_NEAR(assigned(), 12, 1);
  world.clock.advance(10s);
  EXPECT_EQ(assigned(), 20);
}

TEST_F(TaskReconcilerTest, ACordonedAgentGivesBackWhatItDidNotBegin) {
  TaskOperator op(world);
  create_agent("a");
  create_task("began");
  create_task("not-begun");
  settle();
  report("began", "Running");
  settle();
  create_agent("b");
  world.server.edit(kAgent, {"default", "a"}, [](Json& agent) {
    agent["spec"]["cordoned"] = true;
    agent["status"]["phase"] = "Draining";
  });
  settle();
  EXPECT_EQ(agent_of("began"), "a");
  EXPECT_EQ(agent_of("not-begun"), "b");
  EXPECT_EQ(status("not-begun")["attempt"], 1);
  EXPECT_EQ(status("not-begun")["attempts"][0]["outcome"], "Rebalanced");
}

TEST_F(TaskReconcilerTest, ATaskThatIsNotBegunGoesToAnAgentThatComesLater) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t");
  settle();
  world.clock.advance(5min);
  EXPECT_EQ(agent_of("t"), "a") << "there is nobody else";
  create_agent("b");
  settle();
  world.clock.advance(35s);
  EXPECT_EQ(agent_of("t"), "b");
  const std::size_t before = writes();
  world.clock.advance(40min);
  EXPECT_LE(writes() - before, 6U) << "it is not passed to and fro for ever";
}

// --- When things go wrong ---

TEST_F(TaskReconcilerTest, AMalformedTaskDisturbsNobodyAndCostsOneWrite) {
  TaskOperator op(world);
  create_agent("a");
  create_task("broken", {{"type", "compile"}, {"priority", "high"}});
  create_task("fine");
  settle();
  EXPECT_EQ(reason("broken"), reason::kInvalidSpec);
  EXPECT_EQ(phase("fine"), "Assigned");
  const std::size_t before = writes();
  world.clock.advance(1h);
  EXPECT_LE(writes(), before + 1) << "only the attempt of the other Task may time out";
  edit_task("broken", [](Json& task) { task["spec"]["priority"] = 2; });
  settle();
  EXPECT_EQ(phase("broken"), "Assigned");
}

TEST_F(TaskReconcilerTest, WithoutAnAgentItWaitsQuietlyAndStartsTheMomentOneAppears) {
  TaskOperator op(world);
  create_agent("wrong", 10, "Ready", {"other"});
  create_task("t");
  settle();
  EXPECT_EQ(phase("t"), "Queued");
  EXPECT_EQ(reason("t"), reason::kNoEligibleAgent);
  EXPECT_EQ(status("t")["assignment"]["rejected"][0]["reason"], "lacks capability compile");
  EXPECT_THAT(world.events.of("t"), ElementsAre(reason::kNoEligibleAgent));
  const std::size_t before = writes();
  world.clock.advance(2h);
  EXPECT_EQ(writes(), before);

  create_agent("right");
  settle();
  EXPECT_EQ(phase("t"), "Assigned");
  EXPECT_EQ(agent_of("t"), "right");
  EXPECT_EQ(writes(), before + 1);
}

TEST_F(TaskReconcilerTest, OtherRulesOfTheConfigurationReachTheTasksThatWait) {
  TaskOperator op(world);
  op.reconciler.set_rules({{"never", {}, "false", "not today"}});
  create_agent("a");
  create_task("t1");
  create_task("t2");
  settle();
  EXPECT_EQ(reason("t1"), reason::kNoEligibleAgent);
  EXPECT_EQ(status("t1")["assignment"]["rejected"][0]["reason"], "rule never: not today");
  std::size_t before = writes();
  op.reconciler.set_rules({{"never", {}, "false", "not today"}});
  settle();
  EXPECT_EQ(writes(), before) << "they are the same";
  op.reconciler.set_rules({{"hardly", {}, "task.metadata.name == 't2'", ""}});
  settle();
  EXPECT_EQ(agent_of("t2"), "a");
  EXPECT_EQ(status("t1")["assignment"]["rejected"][0]["reason"], "rule hardly does not hold");
  op.reconciler.set_rules({});
  settle();
  EXPECT_EQ(agent_of("t1"), "a");
}

TEST_F(TaskReconcilerTest, ARuleThatDoesNotCompileDisturbsNobodyAndCostsOneWrite) {
  TaskOperator op(world);
  create_agent("a");
  create_task("broken", {{"type", "compile"}, {"requires", {{"rule", "agent."}}}});
  create_task("fine");
  settle();
  EXPECT_EQ(reason("broken"), reason::kInvalidSpec);
  EXPECT_THAT(status("broken")["message"].get<std::string>(),
              HasSubstr("spec.requires.rule: line 1, column 7"));
  EXPECT_EQ(phase("fine"), "Assigned");
  EXPECT_EQ(writes(), 2U);
}

TEST_F(TaskReconcilerTest, ALostAgentsTaskGoesToAnotherAndItsLateReportCountsForNothing) {
  TaskOperator op(world);
  create_agent("a", 1);
  create_task("t");
  settle();
  ASSERT_EQ(agent_of("t"), "a");
  const std::string old_id = status("t")["assignment"]["id"];
  report("t", "Running");
  world.clock.advance(1s);
  ASSERT_EQ(phase("t"), "Running");

  create_agent("b", 1);
  set_agent_phase("a", "Offline");
  settle();
  EXPECT_EQ(phase("t"), "Queued");
  EXPECT_EQ(reason("t"), reason::kRetrying);
  world.clock.advance(6s);
  EXPECT_EQ(agent_of("t"), "b");
  EXPECT_EQ(status("t")["attempt"], 2);
  EXPECT_NE(status("t")["assignment"]["id"], old_id);

  edit_task("t", [&](Json& task) {
    task["status"]["report"] = {{"assignmentID", old_id}, {"state", "Succeeded"}};
  });
  world.clock.advance(10s);
  EXPECT_EQ(phase("t"), "Assigned");
  finish("t");
  EXPECT_EQ(phase("t"), "Succeeded");
  EXPECT_THAT(world.events.of("t"), Contains(reason::kAgentLost));
}

TEST_F(TaskReconcilerTest, ADeletedAgentLosesItsTasks) {
  TaskOperator op(world);
  create_agent("a");
  create_task("began");
  create_task("not-begun");
  settle();
  report("began", "Running");
  settle();
  world.server.remove(kAgent, {"default", "a"});
  settle();
  EXPECT_EQ(phase("began"), "Queued");
  EXPECT_EQ(status("began")["attempts"][0]["outcome"], "AgentLost");
  EXPECT_EQ(phase("not-begun"), "Queued");
  EXPECT_EQ(status("not-begun")["attempts"][0]["outcome"], "Rebalanced");
}

TEST_F(TaskReconcilerTest, AnAgentThatRejectsForEverMakesNoStorm) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t");
  int rejections = 0;
  const MonotonicTime start = world.clock.monotonic_now();
  while (world.clock.monotonic_now() - start < 10min) {
    settle();
    if (phase("t") == "Assigned") {
      report("t", "Rejected", {{"message", "no"}});
      ++rejections;
      settle();
    }
    world.clock.advance(500ms);
  }
  EXPECT_GE(rejections, 5);
  EXPECT_LE(rejections, 20);
  EXPECT_LE(writes(), 60U);
  EXPECT_EQ(status("t")["attempt"].is_number() ? status("t")["attempt"].get<int>() : 0,
            phase("t") == "Assigned");
  EXPECT_EQ(status("t")["attempts"].size(), 10U);
}

TEST_F(TaskReconcilerTest, ARejectedTaskGoesToTheOtherAgentAtOnce) {
  TaskOperator op(world);
  create_agent("a");
  create_agent("b");
  create_task("t");
  settle();
  ASSERT_EQ(agent_of("t"), "a");
  report("t", "Rejected", {{"message", "disk full"}});
  settle();
  EXPECT_EQ(agent_of("t"), "b");
  EXPECT_EQ(status("t")["attempt"], 1);
}

TEST_F(TaskReconcilerTest, TheAuditLogIsToldOfWritesThatSucceededInTheirOrder) {
  TaskOperator op(world);
  create_agent("a");
  const auto version = [this] {
    return (*world.server.object(kTask, {"default", "t"}))["metadata"]["resourceVersion"].get<std::string>();
  };
  world.server.fail_next({.method = "PUT"}, Fault::conflict(), 3);
  create_task("t");
  settle();
  EXPECT_THAT(op.audit.lines(), ElementsAre());
  world.clock.advance(3s);
  const std::string assigned = version();
  finish("t");
  EXPECT_THAT(op.audit.lines(), ElementsAre("t >Assigned " + assigned, "t Assigned>Succeeded " + version()));
}

TEST_F(TaskReconcilerTest, AConflictIsSettledByTheNewsThatItAnnounces) {
  TaskOperator op(world);
  create_agent("a");
  world.server.fail_next({.method = "PUT"}, Fault::conflict(), 3);
  create_task("t");
  settle();
  EXPECT_EQ(phase("t"), "");
  world.clock.advance(3s);
  EXPECT_EQ(phase("t"), "Assigned");
  EXPECT_EQ(writes(), 4U);
}

TEST_F(TaskReconcilerTest, AShorterTimeToLiveHoldsForTasksThatFinishedBefore) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t");
  settle();
  finish("t");
  world.clock.advance(2h);
  ASSERT_EQ(phase("t"), "Succeeded");
  op.reconciler.set_timing({.ttl_after_success = 1h});
  settle();
  EXPECT_FALSE(world.server.object(kTask, {"default", "t"}));
}

TEST_F(TaskReconcilerTest, AConflictStormEndsInTheRightState) {
  TaskOperator op(world);
  create_agent("a", 2);
  world.server.set_interleaving(true);
  for (int i = 0; i < 20; ++i) {
    create_task("t" + std::to_string(i));
  }
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 20; ++i) {
      const std::string name = "t" + std::to_string(i);
      edit_task(name, [&](Json& task) { task["spec"]["priority"] = 1 + (round + i) % 5; });
      if (phase(name) == "Assigned") {
        report(name, "Succeeded");
      }
      world.clock.advance(2ms);
    }
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(phase("t" + std::to_string(i)), "Succeeded");
  }
}

TEST_F(TaskReconcilerTest, AnAssignmentWhoseAnswerWasLostIsNotGivenOutTwice) {
  TaskOperator op(world);
  create_agent("a", 1);
  world.server.fail_next({.method = "PUT"}, Fault::drop_answer(), 1);
  create_task("t1");
  settle();
  create_task("t2");
  world.clock.advance(2s);
  EXPECT_EQ(phase("t1"), "Assigned");
  EXPECT_THAT(phase("t2"), Not("Assigned"));
  finish("t1");
  EXPECT_EQ(phase("t2"), "Assigned");
}

TEST_F(TaskReconcilerTest, AnAssignmentThatIsAlwaysRefusedIsTriedWithGrowingPauses) {
  create_agent("a");
  TaskOperator op(world);
  world.server.fail_next({.method = "PUT", .client = kOperator}, Fault::error(403), 100'000);
  create_task("t");
  world.clock.advance(10s);
  const std::size_t tries = world.server.write_count(kOperator);
  EXPECT_GE(tries, 8U);
  EXPECT_LE(tries, 20U);
}

TEST_F(TaskReconcilerTest, ARefusedWriteGivesThePlaceToTheNextTask) {
  TaskOperator op(world);
  create_agent("a", 1);
  world.server.fail_next({.method = "PUT", .path = "/bad/"},
                         Fault::answer(fakes::forbidden(kTask, "bad", "no")), 1000);
  create_task("bad");
  settle();
  create_task("good");
  settle();
  EXPECT_EQ(phase("good"), "Assigned");
  const std::size_t before = writes();
  world.clock.advance(1min);
  EXPECT_LE(writes(), before + 30) << "backoff";
}

TEST_F(TaskReconcilerTest, AnOperatorThatStartsInTheMiddleGoesOnWhereTheOtherStopped) {
  std::string id;
  {
    TaskOperator first(world);
    create_agent("a", 1);
    create_task("t1");
    create_task("t2");
    settle();
    ASSERT_EQ(phase("t1"), "Assigned");
    id = status("t1")["assignment"]["id"];
    report("t1", "Running");
    world.clock.advance(1s);
  }
  TaskOperator second(world, 8);
  EXPECT_EQ(phase("t1"), "Running");
  EXPECT_EQ(status("t1")["assignment"]["id"], id) << "nothing is given out twice";
  EXPECT_EQ(status("t1")["attempt"], 1);
  finish("t1");
  EXPECT_EQ(phase("t1"), "Succeeded");
  EXPECT_EQ(agent_of("t2"), "a");
}

TEST_F(TaskReconcilerTest, AnAgentThatWasLostWhileNoOperatorRanIsNoticedAtTheStart) {
  {
    TaskOperator first(world);
    create_agent("a", 1);
    create_task("t");
    settle();
  }
  set_agent_phase("a", "Offline");
  TaskOperator second(world, 8);
  EXPECT_EQ(phase("t"), "Queued");
}

TEST_F(TaskReconcilerTest, ANewLeaderRespectsPrioritiesFromTheFirstPlaceOn) {
  create_agent("a", 1);
  create_task("low", {{"type", "compile"}, {"priority", 1}});
  create_task("high", {{"type", "compile"}, {"priority", 5}});
  TaskOperator op(world);
  EXPECT_EQ(phase("high"), "Assigned");
  EXPECT_THAT(phase("low"), Not("Assigned"));
}

TEST_F(TaskReconcilerTest, AStatusThatIsWipedByHandStartsTheTaskAnew) {
  TaskOperator op(world);
  create_agent("a", 1);
  create_task("t");
  settle();
  const std::string old_id = status("t")["assignment"]["id"];
  edit_task("t", [](Json& task) { task.erase("status"); });
  settle();
  EXPECT_EQ(phase("t"), "Assigned");
  EXPECT_NE(status("t")["assignment"]["id"], old_id);
}

// --- What people ask for ---

TEST_F(TaskReconcilerTest, CancellingALiveTaskFreesItsPlace) {
  TaskOperator op(world);
  create_agent("a", 1);
  create_task("t1");
  settle();
  create_task("t2");
  settle();
  edit_task("t1", [](Json& task) { task["spec"]["cancel"] = {{"reason", "wrong branch"}}; });
  settle();
  EXPECT_EQ(phase("t1"), "Cancelled");
  EXPECT_EQ(agent_of("t1"), "a") << "the agent must see it";
  EXPECT_EQ(phase("t2"), "Assigned");
}

TEST_F(TaskReconcilerTest, AFinishedTaskIsDeletedWhenItsTimeIsOver) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t", {{"type", "compile"}, {"ttlAfterFinished", "1m"}});
  settle();
  finish("t");
  world.clock.advance(59s);
  EXPECT_EQ(phase("t"), "Succeeded");
  world.clock.advance(1s);
  EXPECT_FALSE(world.server.object(kTask, {"default", "t"}));
}

TEST_F(TaskReconcilerTest, AnAttemptThatHangsTimesOut) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t", {{"type", "compile"}, {"timeout", "10s"}, {"retry", {{"limit", 0}}}});
  settle();
  report("t", "Running");
  world.clock.advance(10s);
  EXPECT_EQ(phase("t"), "Failed");
  EXPECT_EQ(reason("t"), reason::kTimeout);
}

// --- What the operator brings, and takes back ---

TEST_F(TaskReconcilerTest, ABeginAfterAWithdrawalIsANewSight) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t");
  settle();
  report("t", "Running");
  world.clock.advance(200ms);
  edit_task("t", [](Json& task) {
    const Json id = task["status"]["assignment"]["id"];
    task["status"]["report"] = {{"assignmentID", id}, {"message", "connection refused"}};
  });
  world.clock.advance(1s);
  report("t", "Running");
  world.clock.advance(200ms);
  EXPECT_EQ(phase("t"), "Assigned") << "it began 200 ms ago";
  world.clock.advance(200ms);
  EXPECT_EQ(phase("t"), "Running");
}

TEST_F(TaskReconcilerTest, WhatWasWithdrawnFromALostServiceIsGivenToAnother) {
  TaskOperator op(world);
  create_agent("a");
  world.server.edit(kAgent, {"default", "a"}, [](Json& agent) {
    agent["spec"]["dispatch"] = {{"mode", "HTTP"}, {"http", {{"url", "http://svc"}}}};
  });
  create_task("t", {{"type", "compile"}, {"delivery", "AtMostOnce"}});
  settle();
  report("t", "Running");
  world.clock.advance(1s);
  ASSERT_EQ(phase("t"), "Running");
  edit_task("t", [](Json& task) {
    const Json id = task["status"]["assignment"]["id"];
    task["status"]["report"] = {{"assignmentID", id}, {"message", "connection refused"}};
  });
  settle();
  create_agent("b");
  set_agent_phase("a", "Offline");
  world.clock.advance(1min);
  EXPECT_EQ(phase("t"), "Assigned");
  EXPECT_EQ(agent_of("t"), "b");
}

// --- What it costs ---

TEST_F(TaskReconcilerTest, AShortTaskTakesTwoWritesOfTheOperator) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t");
  settle();
  report("t", "Running");
  world.clock.advance(100ms);
  finish("t");
  EXPECT_EQ(phase("t"), "Succeeded");
  EXPECT_EQ(writes(), 2U);
  EXPECT_THAT(op.metrics(), HasSubstr("convoke_tasks{phase=\"Succeeded\"} 1"));
  EXPECT_THAT(op.metrics(), HasSubstr("convoke_tasks{phase=\"Pending\"} 0"));
  EXPECT_THAT(op.metrics(), HasSubstr("convoke_task_attempts_total{outcome=\"Succeeded\"} 1"));
  EXPECT_THAT(op.metrics(),
              HasSubstr("convoke_task_assign_seconds_count{priority=\"3\",type=\"compile\"} 1"));
}

TEST_F(TaskReconcilerTest, ProgressReportsCostNothing) {
  TaskOperator op(world);
  create_agent("a");
  create_task("t");
  settle();
  report("t", "Running");
  world.clock.advance(1s);
  ASSERT_EQ(phase("t"), "Running");
  const std::size_t before = writes();
  for (int percent = 1; percent < 100; ++percent) {
    report("t", "Running", {{"progress", percent}});
    world.clock.advance(10ms);
  }
  EXPECT_EQ(writes(), before);
}

TEST_F(TaskReconcilerTest, AThousandTasksOverTwentyAgentsCompleteAndNoAgentIsOverloaded) {
  TaskOperator op(world);
  constexpr int kTasks = 1000, kAgents = 20, kCapacity = 5;
  for (int i = 0; i < kAgents; ++i) {
    create_agent("agent-" + std::to_string(i), kCapacity);
  }
  for (int i = 0; i < kTasks; ++i) {
    create_task("t" + std::to_string(i));
  }
  std::set<std::string> ids;
  std::size_t done = 0;
  for (int round = 0; round < 50 && done < kTasks; ++round) {
    world.clock.advance(10ms);
    std::map<std::string, int> load;
    done = 0;
    for (const Json& task : world.server.objects(kTask)) {
      const std::string state = task.contains("status") ? task["status"]["phase"] : "";
      done += state == "Succeeded" ? 1 : 0;
      if (state == "Assigned") {
        ++load[task["status"]["agentName"]];
        EXPECT_TRUE(ids.insert(task["status"]["assignment"]["id"]).second);
        report(task["metadata"]["name"], "Succeeded");
      }
    }
    for (const auto& [agent, count] : load) {
      EXPECT_LE(count, kCapacity) << agent;
    }
  }
  EXPECT_EQ(done, static_cast<std::size_t>(kTasks));
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(kTasks));
  EXPECT_EQ(writes(), 2U * kTasks);
}

// --- Taking over ---

TEST_F(TaskReconcilerTest, AStandbyRemembersNoMoreThanThereIsAndTakesOverAllOfThat) {
  auto leader = std::make_unique<TaskOperator>(world);
  TaskOperator standby(world, 8, false);
  for (int i = 0; i < 1'000; ++i) {
    const std::string name = "t" + std::to_string(i);
    create_task(name);
    settle();
    world.server.remove(kTask, {"default", name});
    settle();
    ASSERT_LE(standby.controller->queue().size(), 100U);
  }
  for (const char* name : {"a", "b", "c"}) create_task(name);
  settle();
  leader.reset();
  create_agent("agent");
  standby.lead();
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(agent_of(name), "agent") << name;
  EXPECT_EQ(standby.controller->queue().size(), 0U);
}

}  // namespace
}  // namespace convoke::task
