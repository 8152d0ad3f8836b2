#include "reconcilers/api/agent.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/api/manifests.h"

namespace convoke::api {
namespace {

using std::chrono::seconds;

TEST(Agent, WithoutAnythingHasItsDefaults) {
  const Agent agent = Agent::from_json(Json::object());
  EXPECT_EQ(agent.malformed, std::vector<std::string>{});
  EXPECT_EQ(agent.spec.capacity, 10);
  EXPECT_EQ(agent.spec.heartbeat_interval, seconds(30));
  EXPECT_EQ(agent.spec.heartbeat_timeout, seconds(90));
  EXPECT_FALSE(agent.spec.cordoned);
  EXPECT_FALSE(agent.status.present);
}

TEST(Agent, ReadsEveryField) {
  const Agent agent = Agent::from_json(manifests::agent());
  EXPECT_EQ(agent.malformed, std::vector<std::string>{});
  EXPECT_EQ(agent.spec.type, "builder");
  EXPECT_EQ(agent.spec.capabilities, (std::vector<std::string>{"compile", "unit-test"}));
  EXPECT_EQ(agent.spec.capacity, 4);
  EXPECT_EQ(agent.spec.heartbeat_interval, seconds(10));
  EXPECT_EQ(agent.spec.heartbeat_timeout, seconds(45));
  EXPECT_EQ(agent.spec.cost, (Cost{0.002, 1.5}));
  EXPECT_EQ(agent.spec.rate_limit, (RateLimit{60, 10}));
  EXPECT_EQ(agent.spec.circuit_breaker, (CircuitBreaker{2, seconds(10), 1}));
  const HttpDispatch http{
      "https://h/tasks",       seconds(5), "/healthz", seconds(2), SecretKey{"ca", "ca.crt"},
      SecretKey{"token", "t"}, "login"};
  const JobDispatch job{R"({"spec":{"containers":[{"name":"main"}]}})", "main"};
  EXPECT_EQ(agent.spec.dispatch, (Dispatch{DispatchMode::HTTP, http, job}));
  EXPECT_TRUE(agent.spec.cordoned);
  EXPECT_TRUE(agent.status.present);
  EXPECT_EQ(agent.status.phase, AgentPhase::Draining);
}

TEST(Agent, StatusComesBackAsItWasWritten) {
  const Json manifest = manifests::agent();
  const Agent agent = Agent::from_json(manifest);
  const Json body = status_update(agent, agent.status);
  EXPECT_EQ(body["status"], manifest["status"]);
  EXPECT_EQ(Agent::from_json(body).status, agent.status);
}

TEST(Agent, StatusWriteCarriesNothingButIdentityAndStatus) {
  const Agent agent = Agent::from_json(manifests::agent());
  EXPECT_EQ(status_update(agent, AgentStatus{}),
            Json::parse(R"({"apiVersion": "convoke.dev/v1alpha1", "kind": "Agent",
                            "metadata": {"name": "sample", "namespace": "team-a", "resourceVersion": "41",
                                         "uid": "7d0c7f5e-6e39-4b07-9d9b-6f0c1d8b2a11"},
                            "status": {"phase": "Pending", "activeTasks": 0, "circuit": "Closed"}})"));
}

TEST(Agent, IsNamedForEvents) {
  const kube::ObjectReference named = reference(Agent::from_json(manifests::agent()));
  EXPECT_EQ(named.type, kAgent);
  EXPECT_EQ(named.namespace_ + "/" + named.name, "team-a/sample");
  EXPECT_EQ(named.resource_version, "41");
}

TEST(Agent, HeartbeatLeaseBearsItsName) {
  EXPECT_EQ(heartbeat_lease_name("builder-1"), "convoke-agent-builder-1");
}

}  // namespace
}  // namespace convoke::api
