// Whatever attempts, Leases and Tasks say, the API server takes the status of their Agent.
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/agent/agent_decide.h"
#include "tests/fakes/crd_schema.h"
#include "tests/unit/reconcilers/agent/now.h"

namespace convoke::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

api::Agent some_agent() {
  api::Agent agent;
  agent.meta.name = std::string(63, 'a');
  agent.meta.generation = 1;
  agent.meta.creation_timestamp = "2025-01-01T12:00:00Z";
  return agent;
}

std::vector<std::string> problems_of(const api::Agent& agent, const api::AgentStatus& status) {
  static const fakes::CrdSchema kSchema("agents");
  Json body = api::status_update(agent, status);
  body["spec"] = Json::object();
  return kSchema.problems(body);
}

AgentSnapshot snapshot_with_heartbeat(const api::Agent& agent) {
  AgentSnapshot snapshot{agent, Heartbeat{"2026-01-01T11:59:59Z", "pod-1", {}, true}, 1s, 0, {}, kNow};
  return snapshot;
}

// An attempt as it is taken from a Task that says this.
EndedAttempt attempt_between(const std::string& started_at, const std::string& finished_at,
                             const std::string& type = "x") {
  api::Task task;
  task.meta.uid = "0123";
  task.spec.type = type;
  api::AttemptRecord record;
  record.agent_name = "a";
  record.outcome = api::AttemptOutcome::Succeeded;
  record.assigned_at = "2026-01-01T11:59:50.000000Z";
  record.started_at = started_at;
  record.finished_at = finished_at;
  return *EndedAttempt::of(task, record);
}

TEST(AgentSchema, AttemptsOfAnyLength) {
  for (const char* started :
       {"", "garbage", "1678-01-01T00:00:00Z", "2261-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
        "2026-01-01T11:59:59.999999Z", "2026-01-01T12:00:00Z"}) {
    for (const char* finished :
         {"2026-01-01T12:00:00.000000Z", "2026-01-01T12:00:00.000400Z", "garbage", ""}) {
      const api::Agent agent = some_agent();
      AgentSnapshot snapshot = snapshot_with_heartbeat(agent);
      snapshot.ended = {attempt_between(started, finished), attempt_between(finished, started)};
      EXPECT_THAT(problems_of(agent, *decide(snapshot).status), IsEmpty()) << started << " to " << finished;
    }
  }
}

TEST(AgentSchema, AnAttemptIsNoLongerThanItsAssignment) {
  EXPECT_EQ(attempt_between("1678-01-01T00:00:00Z", "2026-01-01T12:00:00Z").took, 10s);
  EXPECT_EQ(attempt_between("2261-01-01T00:00:00Z", "2026-01-01T12:00:00Z").took, 0s);
}

TEST(AgentSchema, TypesAndTroubleOfAnyLength) {
  api::Agent agent = some_agent();
  agent.spec.dispatch.mode = api::DispatchMode::HTTP;
  for (int i = 0; i < 30; ++i) {
    AgentSnapshot snapshot{agent, {}, {}, i, {}, kNow};
    const std::string type = std::to_string(i) + std::string(240, 't');
    snapshot.ended = {attempt_between("", "2026-01-01T12:00:00.000000Z", type)};
    snapshot.trouble = AgentTrouble{"HealthCheckFailed", std::string(100'000, '\xff') + std::string(5, '\0')};
    const AgentDecision decision = decide(snapshot);
    ASSERT_TRUE(decision.status);
    EXPECT_THAT(problems_of(agent, *decision.status), IsEmpty());
    agent.status = *decision.status;
  }
}

TEST(AgentSchema, NumbersThatCameFromElsewhere) {
  api::Agent agent = some_agent();
  agent.malformed.assign(20, "spec.capabilities: " + std::string(5000, 'x'));
  agent.status.success_rate = 1e30;
  agent.status.completed_tasks = std::numeric_limits<std::int64_t>::max() - 1;
  agent.status.average_duration = Duration::max();
  AgentSnapshot snapshot = snapshot_with_heartbeat(agent);
  snapshot.active_tasks = std::numeric_limits<int>::max();
  EXPECT_THAT(problems_of(agent, *decide(snapshot).status), IsEmpty());
}

}  // namespace
}  // namespace convoke::agent
