#include "programs/runner/heartbeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "controller/kube/client_metrics.h"
#include "reconcilers/api/agent.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/programs/runner/runner_fixtures.h"

namespace convoke::runner {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;

// One process that wants to be the agent.
class Candidate {
 public:
  Candidate(fakes::FakeClock& clock, fakes::FakeApiServer& server, const std::string& identity)
      : clock_(clock),
        transport_(server.connect(identity)),
        client_(*transport_, clock, *random_, metrics_, {"test", 5s}),
        heartbeat(client_, clock, Logger(), {kAgentKey, identity, 10s, 30s},
                  [this](const std::string& holder) { deposed_by = holder; }) {
    thread_ = clock.start_thread(identity, [this] {
      holds = heartbeat.acquire();
      if (holds) heartbeat.start();
    });
  }
  ~Candidate() {
    heartbeat.stop_waiting();
    clock_.advance(1min);
    heartbeat.stop();
    thread_->join();
    transport_->shutdown();
  }
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;

 private:
  fakes::FakeClock& clock_;
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  prometheus::Registry registry_;
  kube::ClientMetrics metrics_{registry_, "fake"};
  std::unique_ptr<kube::Transport> transport_;
  kube::Client client_;

 public:
  bool holds = false;
  std::string deposed_by;
  Heartbeat heartbeat;

 private:
  std::unique_ptr<Thread> thread_;
};

class HeartbeatTest : public ::testing::Test {
 protected:
  HeartbeatTest() {
    fakes::register_convoke_types(server);
    create_agent();
  }
  void create_agent() {
    server.put(api::kAgent, {{"metadata", {{"name", kAgentKey.name}, {"namespace", kAgentKey.namespace_}}},
                             {"spec", {{"capabilities", {"build"}}}}});
  }
  Json lease() const { return server.object(kube::kLease, kLeaseKey).value_or(Json()); }
  std::string holder() const {
    const auto found = lease();
    return found.is_null() ? "(nobody)" : found["spec"].value("holderIdentity", "");
  }
  void put_lease(const std::string& holder, int seconds) {
    server.put(kube::kLease, {{"metadata", {{"name", kLeaseKey.name}, {"namespace", kLeaseKey.namespace_}}},
                              {"spec",
                               {{"holderIdentity", holder},
                                {"leaseDurationSeconds", seconds},
                                {"renewTime", "2026-01-01T00:00:00.000000Z"}}}});
  }

  fakes::FakeClock clock{clock_options()};
  fakes::FakeApiServer server{clock};
};

// --- Failures ---

TEST_F(HeartbeatTest, WithoutAnAgentThereIsNoHeartbeat) {
  server.remove(api::kAgent, kAgentKey);
  const Candidate one(clock, server, "one");
  clock.advance(1min);
  EXPECT_FALSE(one.holds);
  EXPECT_EQ(holder(), "(nobody)");
  create_agent();
  clock.advance(10s);
  EXPECT_TRUE(one.holds);
}

TEST_F(HeartbeatTest, WaitsUntilAnothersRecordWasSeenUnchangedForItsDuration) {
  put_lease("other", 20);
  const Candidate one(clock, server, "one");
  clock.advance(19s);
  EXPECT_FALSE(one.holds) << "its renewTime is long ago, but that is another clock's";
  EXPECT_EQ(holder(), "other");
  clock.advance(3s);
  EXPECT_TRUE(one.holds);
  EXPECT_EQ(holder(), "one");
  EXPECT_EQ(lease()["spec"]["leaseTransitions"], 1);
}

TEST_F(HeartbeatTest, WaitsForeverForAHolderThatLives) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  const Candidate two(clock, server, "two");
  clock.advance(10min);
  EXPECT_TRUE(one.holds);
  EXPECT_FALSE(two.holds);
  EXPECT_EQ(holder(), "one");
}

TEST_F(HeartbeatTest, AHolderThatFindsAnotherInTheRecordIsDeposed) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  put_lease("usurper", 30);
  clock.advance(20s);
  EXPECT_EQ(one.deposed_by, "usurper");
  EXPECT_EQ(holder(), "usurper");
}

TEST_F(HeartbeatTest, AHolderThatCannotRenewIsLostButNotDeposed) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  server.partition("one", true);
  clock.advance(20s);
  EXPECT_FALSE(one.heartbeat.is_lost());
  clock.advance(20s);
  EXPECT_TRUE(one.heartbeat.is_lost());
  server.partition("one", false);
  clock.advance(10s);
  EXPECT_FALSE(one.heartbeat.is_lost());
  EXPECT_EQ(one.deposed_by, "");
  EXPECT_EQ(lease()["spec"]["leaseTransitions"], 0);
}

TEST_F(HeartbeatTest, ALostAnswerIsNotTakenForAnotherHolder) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  server.fail_next({.method = "PUT"}, Fault::drop_answer());
  server.fail_next({.method = "PUT"}, Fault::conflict());
  clock.advance(1min);
  EXPECT_EQ(one.deposed_by, "");
  EXPECT_FALSE(one.heartbeat.is_lost());
  EXPECT_EQ(server.faults_left(), 0U);
}

TEST_F(HeartbeatTest, ADeletedLeaseIsMadeAgain) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  server.remove(kube::kLease, kLeaseKey);
  clock.advance(11s);
  EXPECT_EQ(holder(), "one");
}

TEST_F(HeartbeatTest, ADeletedAgentTakesItsLeaseAlongUntilItComesBack) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  server.remove(api::kAgent, kAgentKey);
  clock.advance(1min);
  EXPECT_EQ(holder(), "(nobody)");
  EXPECT_TRUE(one.heartbeat.is_lost());
  create_agent();
  clock.advance(11s);
  EXPECT_EQ(holder(), "one");
  EXPECT_FALSE(one.heartbeat.is_lost());
}

TEST_F(HeartbeatTest, ReleaseLeavesASuccessorsLeaseAlone) {
  Candidate one(clock, server, "one");
  clock.advance(1s);
  put_lease("usurper", 30);
  one.heartbeat.stop();
  one.heartbeat.release();
  EXPECT_EQ(holder(), "usurper");
}

// --- The usual life ---

TEST_F(HeartbeatTest, TheLeaseIsLabelledAndOwnedByTheAgent) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  const auto made = lease();
  EXPECT_EQ(made["metadata"]["labels"]["convoke.dev/agent"], "builder-1");
  EXPECT_EQ(made["metadata"]["ownerReferences"][0]["uid"],
            (*server.object(api::kAgent, kAgentKey))["metadata"]["uid"]);
  EXPECT_EQ(made["spec"]["holderIdentity"], "one");
  EXPECT_EQ(made["spec"]["leaseDurationSeconds"], 30);
}

TEST_F(HeartbeatTest, RenewsOncePerInterval) {
  const Candidate one(clock, server, "one");
  clock.advance(1s);
  const auto before = server.write_count();
  clock.advance(100s);
  EXPECT_EQ(server.write_count() - before, 10U);
  EXPECT_FALSE(one.heartbeat.is_lost());
}

TEST_F(HeartbeatTest, ReleaseDeletesTheLease) {
  Candidate one(clock, server, "one");
  clock.advance(25s);
  one.heartbeat.stop();
  one.heartbeat.release();
  EXPECT_EQ(holder(), "(nobody)");
}

}  // namespace
}  // namespace convoke::runner
