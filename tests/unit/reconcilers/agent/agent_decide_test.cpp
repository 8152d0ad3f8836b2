#include "reconcilers/agent/agent_decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/agent/reasons.h"
#include "tests/unit/reconcilers/agent/now.h"

namespace convoke::agent {
namespace {

using namespace std::chrono_literals;
using api::AgentPhase;
using ::testing::IsEmpty;
using ::testing::SizeIs;

api::Agent make_agent() {
  api::Agent agent;
  agent.meta.namespace_ = "default";
  agent.meta.name = "builder";
  agent.meta.generation = 1;
  return agent;
}

AgentSnapshot snapshot_of(const api::Agent& agent) {
  return {agent, {}, {}, 0, {}, kNow};
}

AgentSnapshot beating(const api::Agent& agent, Duration age = 1s) {
  AgentSnapshot snapshot = snapshot_of(agent);
  snapshot.heartbeat = Heartbeat{"2026-01-01T11:59:59Z", "pod-1", {}, true};
  snapshot.heartbeat_age = age;
  return snapshot;
}

// The agent as it stands once the decision is written.
api::Agent after(const AgentSnapshot& snapshot) {
  api::Agent agent = snapshot.agent;
  agent.status = *decide(snapshot).status;
  return agent;
}

TEST(AgentDecide, AMalformedAgentIsStalledAndKeepsItsPhase) {
  api::Agent agent = make_agent();
  agent.malformed = {"spec.capacity: must be at least 1"};
  const AgentDecision decision = decide(beating(agent));
  EXPECT_EQ(decision.status->phase, AgentPhase::Ready);
  const api::Condition* stalled = api::find_condition(decision.status->conditions, "Stalled");
  EXPECT_TRUE(stalled->status);
  EXPECT_EQ(stalled->reason, reason::kInvalidSpec);
  EXPECT_THAT(decision.events, SizeIs(2));
  const api::Agent told = after(beating(agent));
  EXPECT_FALSE(decide(beating(told)).status);
}

TEST(AgentDecide, AnAgentThatWasNeverSeenIsPendingAndNotCheckedAgain) {
  const api::Agent agent = make_agent();
  const AgentDecision decision = decide(snapshot_of(agent));
  EXPECT_EQ(decision.status->phase, AgentPhase::Pending);
  EXPECT_TRUE(api::find_condition(decision.status->conditions, "Reconciling")->status);
  EXPECT_THAT(decision.events, IsEmpty());
  EXPECT_FALSE(decision.look_again);
}

TEST(AgentDecide, AHeartbeatMakesItReadyUntilItIsTooOld) {
  const api::Agent agent = make_agent();
  const AgentDecision ready = decide(beating(agent));
  EXPECT_EQ(ready.status->phase, AgentPhase::Ready);
  EXPECT_EQ(ready.status->last_heartbeat_time, "2026-01-01T11:59:59Z");
  EXPECT_TRUE(api::find_condition(ready.status->conditions, "Ready")->status);
  EXPECT_EQ(ready.look_again, 89s);
  EXPECT_THAT(ready.events, SizeIs(1));

  const api::Agent there = after(beating(agent));
  const AgentDecision offline = decide(beating(there, 90s));
  EXPECT_EQ(offline.status->phase, AgentPhase::Offline);
  EXPECT_TRUE(api::find_condition(offline.status->conditions, "Stalled")->status);
  EXPECT_FALSE(offline.look_again);
  EXPECT_EQ(offline.events[0].note, "is Offline: no heartbeat for more than 1m30s");
}

TEST(AgentDecide, ANewHeartbeatAloneIsNeverWritten) {
  const api::Agent agent = after(beating(make_agent()));
  AgentSnapshot snapshot = beating(agent);
  snapshot.heartbeat->renew_time = "2026-01-01T12:00:30Z";
  EXPECT_FALSE(decide(snapshot).status);
}

TEST(AgentDecide, CordoningDrainsALivingAgentOnly) {
  api::Agent agent = after(beating(make_agent()));
  agent.spec.cordoned = true;
  agent.meta.generation = 2;
  const AgentDecision decision = decide(beating(agent));
  EXPECT_EQ(decision.status->phase, AgentPhase::Draining);
  EXPECT_EQ(decision.status->observed_generation, 2);
  EXPECT_EQ(decide(beating(agent, 2min)).status->phase, AgentPhase::Offline);
}

TEST(AgentDecide, AnOfflineAgentStaysSoUntilANewHeartbeatIsSeen) {
  api::Agent agent = after(beating(make_agent(), 2min));
  ASSERT_EQ(agent.status.phase, AgentPhase::Offline);
  // As a new operator sees it: the old heartbeat, for the first time.
  AgentSnapshot snapshot = beating(agent, 0s);
  snapshot.heartbeat->changed = false;
  EXPECT_EQ(phase_of(snapshot), AgentPhase::Offline);
  snapshot.heartbeat->renew_time = "2026-01-01T12:00:30Z";
  EXPECT_EQ(phase_of(snapshot), AgentPhase::Ready) << "it beat while nobody looked";
  snapshot.heartbeat = Heartbeat{"2026-01-01T11:59:59Z", "pod-1", {}, true};
  EXPECT_EQ(phase_of(snapshot), AgentPhase::Ready);
}

TEST(AgentDecide, CountersAreCoalesced) {
  const api::Agent agent = after(beating(make_agent()));
  AgentSnapshot snapshot = beating(agent);
  snapshot.active_tasks = 3;
  snapshot.since_last_write = 4s;
  const AgentDecision early = decide(snapshot);
  EXPECT_FALSE(early.status);
  EXPECT_EQ(early.look_again, 6s);
  snapshot.since_last_write = 10s;
  EXPECT_EQ(decide(snapshot).status->active_tasks, 3);
  snapshot.since_last_write.reset();
  EXPECT_EQ(decide(snapshot).status->active_tasks, 3);
}

TEST(AgentDecide, AChangeOfPhaseTakesTheCountersAlong) {
  const api::Agent agent = after(beating(make_agent()));
  AgentSnapshot snapshot = beating(agent, 2min);
  snapshot.active_tasks = 3;
  snapshot.since_last_write = 1s;
  EXPECT_EQ(decide(snapshot).status->active_tasks, 3);
}

// --- Attempts and the circuit ---

std::vector<EndedAttempt> ended(int failures, int successes = 0) {
  std::vector<EndedAttempt> attempts;
  for (int i = 0; i < failures + successes; ++i) {
    attempts.push_back({"id-" + std::to_string(i), "build", i >= failures, kNow - 1s + i * 1ms, 1s});
  }
  return attempts;
}

TEST(AgentDecide, AttemptsAreCoalescedLikeEveryNumber) {
  const api::Agent agent = after(beating(make_agent()));
  AgentSnapshot snapshot = beating(agent);
  snapshot.ended = ended(0, 3);
  snapshot.since_last_write = 4s;
  EXPECT_FALSE(decide(snapshot).status);
  EXPECT_EQ(decide(snapshot).look_again, 6s);
  snapshot.since_last_write = 10s;
  EXPECT_EQ(decide(snapshot).status->completed_tasks, 3);
}

TEST(AgentDecide, TooManyFailuresInARowDegradeItAtOnce) {
  const api::Agent agent = after(beating(make_agent()));
  AgentSnapshot snapshot = beating(agent);
  snapshot.ended = ended(5);
  snapshot.since_last_write = 1s;
  const AgentDecision decision = decide(snapshot);
  ASSERT_TRUE(decision.status);
  EXPECT_EQ(decision.status->phase, AgentPhase::Degraded);
  EXPECT_EQ(decision.status->circuit, api::CircuitState::Open);
  EXPECT_EQ(decision.status->failed_tasks, 5);
  EXPECT_EQ(decision.look_again, 30s);
  const api::Condition* ready = api::find_condition(decision.status->conditions, "Ready");
  EXPECT_FALSE(ready->status);
  EXPECT_EQ(ready->reason, reason::kCircuitOpen);
  EXPECT_FALSE(api::find_condition(decision.status->conditions, "Stalled")->status);
  ASSERT_THAT(decision.events, SizeIs(1));
  EXPECT_EQ(decision.events[0].reason, reason::kCircuitOpen);
}

TEST(AgentDecide, ACircuitOpensIsTriedAndCloses) {
  api::Agent agent = after(beating(make_agent()));
  AgentSnapshot failing = beating(agent);
  failing.ended = ended(5);
  agent = after(failing);
  AgentSnapshot waiting = beating(agent);
  waiting.circuit_unchanged_for = 29s;
  EXPECT_FALSE(decide(waiting).status);
  EXPECT_EQ(decide(waiting).look_again, 1s);
  waiting.circuit_unchanged_for = 30s;
  const AgentDecision half_open = decide(waiting);
  EXPECT_EQ(half_open.status->phase, AgentPhase::Degraded);
  EXPECT_EQ(half_open.events[0].reason, reason::kCircuitHalfOpen);
  agent.status = *half_open.status;
  AgentSnapshot trial = beating(agent);
  trial.ended = ended(0, 3);
  const AgentDecision closed = decide(trial);
  EXPECT_EQ(closed.status->phase, AgentPhase::Ready);
  EXPECT_EQ(closed.events[0].reason, reason::kReady);
}

TEST(AgentDecide, LateFailuresOfAnOpenCircuitAreWrittenLikeNumbers) {
  api::Agent agent = after(beating(make_agent()));
  AgentSnapshot failing = beating(agent);
  failing.ended = ended(5);
  agent = after(failing);
  AgentSnapshot late = beating(agent);
  late.ended = {{"late", "build", false, kNow, 1s}};
  late.since_last_write = 1s;
  EXPECT_FALSE(decide(late).status);
}

TEST(AgentDecide, CordonedOrOfflineIsSaidBeforeTheCircuit) {
  api::Agent agent = after(beating(make_agent()));
  agent.status.circuit = api::CircuitState::Open;
  EXPECT_EQ(phase_of(beating(agent)), AgentPhase::Degraded);
  EXPECT_EQ(phase_of(beating(agent, 2min)), AgentPhase::Offline);
  agent.spec.cordoned = true;
  EXPECT_EQ(phase_of(beating(agent)), AgentPhase::Draining);
}

}  // namespace
}  // namespace convoke::agent
