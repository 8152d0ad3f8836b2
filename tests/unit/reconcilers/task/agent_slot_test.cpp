#include "reconcilers/task/agent_slot.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace testing;

AgentFacts facts_of(const api::Agent& agent) {
  return AgentFacts::of(agent);
}

TEST(AgentFacts, EveryObjectionHasItsWords) {
  const Requirement requirement{{"compile"}, {{{"tier", "gpu"}}, {}}};
  api::Agent agent = make_agent("a");
  agent.meta.labels = {{"tier", "gpu"}};
  EXPECT_EQ(facts_of(agent).objection(requirement), "");

  api::Agent other = agent;
  other.spec.capabilities = {"test"};
  EXPECT_EQ(facts_of(other).objection(requirement), "lacks capability compile");
  other = agent;
  other.meta.labels.clear();
  EXPECT_EQ(facts_of(other).objection(requirement), "does not match selector tier=gpu");
  other = agent;
  other.status.phase = api::AgentPhase::Offline;
  EXPECT_EQ(facts_of(other).objection(requirement), "is Offline");
  other.status.phase = api::AgentPhase::Pending;
  EXPECT_EQ(facts_of(other).objection(requirement), "was never seen");
  other.status.phase = api::AgentPhase::Draining;
  EXPECT_EQ(facts_of(other).objection(requirement), "is cordoned");
  other = agent;
  other.spec.cordoned = true;
  EXPECT_EQ(facts_of(other).objection(requirement), "is cordoned");
  other = agent;
  other.malformed = {"spec.capacity: must be at least 1"};
  EXPECT_EQ(facts_of(other).objection(requirement), "has an invalid spec");
  other = agent;
  other.meta.deletion_timestamp = at({});
  EXPECT_EQ(facts_of(other).objection(requirement), "is being deleted");
}

TEST(AgentFacts, ExactCapabilitiesScoreTenAndWildcardsOne) {
  const Requirement requirement{{"compile", "gpu"}, {}};
  EXPECT_EQ(facts_of(make_agent("a", {"compile"})).match(requirement), std::nullopt);
  EXPECT_EQ(facts_of(make_agent("a", {"gpu", "compile"})).match(requirement), 20);
  EXPECT_EQ(facts_of(make_agent("a", {"*", "compile"})).match(requirement), 11);
  EXPECT_EQ(facts_of(make_agent("a", {"*"})).match(requirement), 2);
}

TEST(AgentSlot, OnlyWhatRulesNameIsNewsToThem) {
  const AgentPaths paths{{"agent", "spec", "type"}, {"agent", "spec", "type"}, {"agent", "metadata"}};
  api::Agent agent = make_agent("a");
  AgentSlot slot;
  EXPECT_EQ(slot.learn(agent, paths), AgentNews::Facts);
  agent.status.completed_tasks = 7;
  agent.status.success_rate = 0.5;
  agent.spec.heartbeat_interval = std::chrono::seconds(7);
  EXPECT_EQ(slot.learn(agent, paths), AgentNews::None);
  agent.status.statistics = {{"compile", 12, 0.5, std::chrono::seconds(3), std::chrono::seconds(4)}};
  EXPECT_EQ(slot.learn(agent, paths), AgentNews::Record);
  EXPECT_EQ(slot.view()["status"]["completedTasks"], 7) << "another rule may ask";
  agent.spec.type = "builder";
  EXPECT_EQ(slot.learn(agent, paths), AgentNews::Facts);
  agent.meta.annotations["team"] = "x";
  EXPECT_EQ(slot.learn(agent, paths), AgentNews::Facts);
  agent.status.completed_tasks = 8;
  EXPECT_EQ(slot.learn(agent, {{"agent", "status", "completedTasks"}}), AgentNews::Facts);
  agent.status.completed_tasks = 9;
  EXPECT_EQ(slot.learn(agent, {{"agent"}}), AgentNews::Facts);
  EXPECT_EQ(slot.view()["status"]["completedTasks"], 9);
}

}  // namespace
}  // namespace convoke::task
