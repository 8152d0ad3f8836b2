#include "controller/runtime/leader_election.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "controller/kube/client_metrics.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/freezable_clock.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;
using testing::HasSubstr;

const kube::ObjectKey kKey{"convoke", "leader"};
// A candidate tries again after retry_period * (1 + jitter) at most.
constexpr Duration kLongestRetry = 4400ms;

// One process that wants to lead.
class Candidate {
 public:
  Candidate(fakes::FakeApiServer& server, fakes::FakeClock& world, const std::string& identity)
      : clock(world),
        random_(make_seeded_random(std::hash<std::string>()(identity))),
        transport_(server.connect(identity)),
        metrics_(registry, "fake"),
        client_(*transport_, clock, *random_, metrics_,
                {.deadline = LeaderElectionOptions().request_deadline()}),
        elector(client_, clock, *random_, Logger(), registry, {.lease = kKey, .identity = identity},
                {.on_started_leading = [this] { ++started; },
                 .on_stopped_leading = [this] { ++stopped; },
                 .on_new_leader = [this](const std::string& leader) { leaders.push_back(leader); }}) {}

  bool may_write() { return elector.may_write().has_value(); }
  std::string metrics() const { return prometheus::TextSerializer().Serialize(registry.Collect()); }

  fakes::FreezableClock clock;
  prometheus::Registry registry;
  int started = 0;
  int stopped = 0;
  std::vector<std::string> leaders;

 private:
  std::unique_ptr<Random> random_;
  std::unique_ptr<kube::Transport> transport_;
  kube::ClientMetrics metrics_;
  kube::Client client_;

 public:
  LeaderElector elector;
};

class LeaderElectionTest : public testing::Test {
 protected:
  LeaderElectionTest() { fakes::register_builtin_types(server_); }

  std::unique_ptr<Candidate> candidate(const std::string& identity) {
    auto made = std::make_unique<Candidate>(server_, clock_, identity);
    made->elector.start();
    clock_.settle();
    return made;
  }
  kube::Lease lease() const { return kube::Lease::from_json(server_.object(kube::kLease, kKey).value()); }

  fakes::FakeClock clock_;
  fakes::FakeApiServer server_{clock_};
};

TEST_F(LeaderElectionTest, NobodyLeadsWhileTheServerCannotBeReached) {
  server_.partition("a", true);
  const auto a = candidate("a");
  clock_.advance(1min);
  EXPECT_FALSE(a->elector.is_leader());
  EXPECT_EQ(a->elector.may_write().error().code, ErrorCode::Cancelled);
  EXPECT_FALSE(server_.object(kube::kLease, kKey));

  server_.partition("a", false);
  clock_.advance(kLongestRetry);
  EXPECT_TRUE(a->may_write());
  EXPECT_EQ(a->started, 1);
}

TEST_F(LeaderElectionTest, FrozenLeaderIsRefusedBeforeItsElectionRunsAndThenNoticesItsLoss) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  a->clock.freeze();
  clock_.advance(15s + kLongestRetry);
  ASSERT_TRUE(b->may_write());

  const Status refused = a->elector.may_write();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Cancelled);
  EXPECT_THAT(refused.error().message, HasSubstr("may have run out"));
  EXPECT_EQ(a->stopped, 0);

  a->clock.thaw();
  clock_.settle();
  EXPECT_EQ(a->stopped, 1);
  EXPECT_FALSE(a->elector.is_leader());
  EXPECT_EQ(a->elector.leader(), "b");
  EXPECT_EQ(lease().holder_identity, "b");
  EXPECT_EQ(lease().lease_transitions, 1);
}

TEST_F(LeaderElectionTest, EachLeaderSignsWithAGreaterNumberThanThoseBeforeIt) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  EXPECT_EQ(a->elector.signature(), "/0");
  EXPECT_EQ(b->elector.signature(), "");
  a->clock.freeze();
  clock_.advance(15s + kLongestRetry);
  EXPECT_EQ(b->elector.signature(), "/1");
  EXPECT_EQ(a->elector.signature(), "/0") << "what it sends now is refused";
  a->clock.thaw();
  clock_.settle();
  EXPECT_EQ(a->elector.signature(), "");
}

TEST_F(LeaderElectionTest, FrozenLeaderWhoseSuccessorHasReleasedIsLostAllTheSame) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  a->clock.freeze();
  clock_.advance(15s + kLongestRetry);
  b->elector.stop(true);
  ASSERT_EQ(lease().holder_identity, "");

  a->clock.thaw();
  clock_.advance(1min);
  EXPECT_EQ(a->stopped, 1);
  EXPECT_FALSE(a->elector.is_leader());
  EXPECT_EQ(lease().holder_identity, "");
}

TEST_F(LeaderElectionTest, FrozenLeaderThatNobodyReplacedGoesOn) {
  const auto a = candidate("a");
  a->clock.freeze();
  clock_.advance(1min);
  EXPECT_FALSE(a->may_write());

  a->clock.thaw();
  clock_.settle();
  EXPECT_TRUE(a->may_write());
  EXPECT_EQ(a->stopped, 0);
  EXPECT_EQ(lease().lease_transitions, 0);
}

TEST_F(LeaderElectionTest, PartitionedLeaderGivesUpBeforeTheOtherTakesOver) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  server_.partition("a", true);
  clock_.advance(9s);
  EXPECT_EQ(a->stopped, 0);
  clock_.advance(2s);
  EXPECT_EQ(a->stopped, 1);
  EXPECT_FALSE(a->may_write());
  EXPECT_FALSE(b->elector.is_leader());
  clock_.advance(15s);
  EXPECT_TRUE(b->may_write());
  EXPECT_EQ(lease().holder_identity, "b");
}

TEST_F(LeaderElectionTest, LeaderWhoseRequestsHangStopsWritingInTime) {
  const auto a = candidate("a");
  server_.freeze("a", true);
  clock_.advance(13s);
  EXPECT_TRUE(a->may_write() || a->stopped == 1);
  clock_.advance(1s);
  EXPECT_FALSE(a->may_write());
  clock_.advance(2s);
  EXPECT_EQ(a->stopped, 1);
}

TEST_F(LeaderElectionTest, SlowServerDoesNotCostTheLeadership) {
  server_.set_latency(800ms);  // each way
  const auto a = candidate("a");
  clock_.advance(5s);
  ASSERT_TRUE(a->may_write());
  for (int second = 0; second < 120; ++second) {
    clock_.advance(1s);
    ASSERT_TRUE(a->may_write()) << second;
  }
  EXPECT_EQ(a->started, 1);
}

TEST_F(LeaderElectionTest, PermissionCountsFromWhenTheRenewalWasAskedFor) {
  server_.set_latency(2s);  // each way
  const auto a = candidate("a");
  clock_.advance(8s);  // read, create
  ASSERT_TRUE(a->may_write());
  a->clock.freeze();
  clock_.advance(9s);  // 13 s after the create was asked for
  EXPECT_TRUE(a->may_write());
  clock_.advance(500ms);
  EXPECT_FALSE(a->may_write());
  a->clock.thaw();
}

TEST_F(LeaderElectionTest, RenewalWhoseAnswerIsLostIsMadeUpFor) {
  const auto a = candidate("a");
  server_.fail_next({.method = "PUT"}, Fault::drop_answer(), 2);
  clock_.advance(8s);
  EXPECT_TRUE(a->may_write());
  EXPECT_EQ(a->stopped, 0);
  EXPECT_EQ(lease().lease_transitions, 0);
}

TEST_F(LeaderElectionTest, LeaseThatWasTakenByForceIsLostAtOnce) {
  const auto a = candidate("a");
  server_.edit(kube::kLease, kKey, [](Json& lease) { lease["spec"]["holderIdentity"] = "thief"; });
  clock_.advance(2s);
  EXPECT_EQ(a->stopped, 1);
  EXPECT_FALSE(a->may_write());
  EXPECT_EQ(lease().holder_identity, "thief");
}

TEST_F(LeaderElectionTest, LeaseThatWasDeletedIsMadeAgain) {
  const auto a = candidate("a");
  server_.remove(kube::kLease, kKey);
  clock_.advance(2s);
  EXPECT_TRUE(a->may_write());
  EXPECT_EQ(lease().holder_identity, "a");
  EXPECT_EQ(lease().lease_transitions, 0);
}

TEST_F(LeaderElectionTest, LeaseThatWasLabelledIsRenewedWithItsLabel) {
  const auto a = candidate("a");
  server_.edit(kube::kLease, kKey, [](Json& lease) { lease["metadata"]["labels"]["team"] = "x"; });
  clock_.advance(2s);
  EXPECT_TRUE(a->may_write());
  EXPECT_EQ(lease().meta.label("team"), "x");
}

TEST_F(LeaderElectionTest, ExpiryIsJudgedByObservationAndNotByTheWallClock) {
  // Renewed "yesterday" by a holder whose clock is wrong, yet we have only now seen it.
  kube::Lease old;
  old.meta.namespace_ = kKey.namespace_;
  old.meta.name = kKey.name;
  old.holder_identity = "other";
  old.lease_duration_seconds = 15;
  old.lease_transitions = 4;
  old.renew_time = old.acquire_time = "2020-01-01T00:00:00.000000Z";
  server_.put(kube::kLease, old.to_json());

  const auto a = candidate("a");
  clock_.advance(14s);
  EXPECT_FALSE(a->elector.is_leader());
  EXPECT_EQ(a->elector.leader(), "other");
  clock_.advance(1s + kLongestRetry);
  EXPECT_TRUE(a->may_write());
  EXPECT_EQ(lease().lease_transitions, 5);
  EXPECT_THAT(a->leaders, testing::ElementsAre("other", "a"));
}

TEST_F(LeaderElectionTest, OnlyOneOfTwoLeadsAndTheOtherFollows) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  clock_.advance(5min);
  EXPECT_TRUE(a->may_write());
  EXPECT_FALSE(b->may_write());
  EXPECT_THAT(b->elector.may_write().error().message, HasSubstr("leader a"));
  EXPECT_EQ(lease().lease_transitions, 0);
  EXPECT_THAT(a->metrics(), HasSubstr("leader_election_master_status{name=\"leader\"} 1\n"));
  EXPECT_THAT(b->metrics(), HasSubstr("leader_election_master_status{name=\"leader\"} 0\n"));
}

TEST_F(LeaderElectionTest, ReleaseHandsOverAtTheNextTry) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  a->elector.stop(true);
  EXPECT_FALSE(a->may_write());
  EXPECT_EQ(a->stopped, 0);
  EXPECT_EQ(lease().holder_identity, "");
  EXPECT_EQ(lease().lease_duration_seconds, 1);

  clock_.advance(kLongestRetry);
  EXPECT_TRUE(b->may_write());
  EXPECT_EQ(lease().lease_transitions, 1);
  EXPECT_THAT(b->metrics(), HasSubstr("convoke_leader_transitions{name=\"leader\"} 1\n"));
}

TEST_F(LeaderElectionTest, WhoSeesTheReleaseTakesOverAtOnce) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  b->elector.lease_seen(lease());
  clock_.settle();
  EXPECT_FALSE(b->elector.is_leader());
  a->elector.stop(true);
  b->elector.lease_seen(lease());
  clock_.settle();
  EXPECT_TRUE(b->may_write());
}

TEST_F(LeaderElectionTest, WhoSeesEveryRenewalTakesOverAsSoonAsTheLeaseRanOut) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  clock_.advance(1min);
  const auto renewals = [&] { return lease().renew_time; };
  const auto before = renewals();
  ASSERT_TRUE(clock_.advance_until([&] { return renewals() != before; }, 3s));
  b->elector.lease_seen(lease());
  clock_.settle();
  a->clock.freeze();
  clock_.advance(15s - 1ms);
  EXPECT_FALSE(b->elector.is_leader());
  clock_.advance(1ms);
  EXPECT_TRUE(b->may_write());
  a->clock.thaw();
}

TEST_F(LeaderElectionTest, OldNewsOfAReleaseChangeNothing) {
  const auto a = candidate("a");
  a->elector.stop(true);
  const auto released = lease();
  const auto c = candidate("c");
  const auto b = candidate("b");
  b->elector.lease_seen(released);
  clock_.settle();
  EXPECT_FALSE(b->elector.is_leader());
  EXPECT_TRUE(c->may_write());
}

TEST_F(LeaderElectionTest, StopWithoutReleaseLeavesTheLeaseToRunOut) {
  const auto a = candidate("a");
  a->elector.stop(false);
  EXPECT_FALSE(a->may_write());
  EXPECT_EQ(lease().holder_identity, "a");
}

TEST_F(LeaderElectionTest, StandbyThatStopsLeavesTheLeaseAlone) {
  const auto a = candidate("a");
  const auto b = candidate("b");
  b->elector.stop(true);
  EXPECT_EQ(lease().holder_identity, "a");
  EXPECT_EQ(server_.write_count("b"), 0);
}

TEST_F(LeaderElectionTest, ReleaseSurvivesAnUnrelatedChange) {
  const auto a = candidate("a");
  server_.edit(kube::kLease, kKey, [](Json& lease) { lease["metadata"]["labels"]["team"] = "x"; });
  a->elector.stop(true);
  EXPECT_EQ(lease().holder_identity, "");
}

TEST_F(LeaderElectionTest, ReleaseDoesNotTouchTheLeaseOfASuccessor) {
  const auto a = candidate("a");
  server_.edit(kube::kLease, kKey, [](Json& lease) { lease["spec"]["holderIdentity"] = "successor"; });
  a->elector.stop(true);
  EXPECT_EQ(lease().holder_identity, "successor");
}

TEST_F(LeaderElectionTest, SameIdentityTakesItsOwnLeaseAgainAtOnce) {
  {
    const auto before = candidate("a");
    before->elector.stop(false);
  }
  const auto after = candidate("a");
  EXPECT_TRUE(after->may_write());
  EXPECT_EQ(lease().lease_transitions, 0);
}

// Three candidates, random freezes, partitions, hanging requests, and watches that are late: never may two
// write at the same time, and when all is well again one leads.
TEST(LeaderElectionSimulation, NeverMayTwoWrite) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    fakes::FakeClock clock({.seed = seed});
    fakes::FakeApiServer server(clock);
    fakes::register_builtin_types(server);
    const auto random = make_seeded_random(seed);
    const std::vector<std::string> names{"a", "b", "c"};
    std::vector<std::unique_ptr<Candidate>> candidates;
    const auto restart = [&](std::size_t i) {
      candidates[i] = std::make_unique<Candidate>(server, clock, names[i]);
      candidates[i]->elector.start();
    };
    candidates.resize(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) restart(i);

    std::vector<Json> history;
    for (int step = 0; step < 200; ++step) {
      if (const auto now = server.object(kube::kLease, kKey)) history.push_back(*now);

      const auto i = static_cast<std::size_t>(random->next() % names.size());
      switch (random->next() % 16) {
        case 0:
          candidates[i]->clock.freeze();
          break;
        case 1:
          server.partition(names[i], true);
          break;
        case 2:
          server.freeze(names[i], true);
          break;
        case 3:
          server.fail_next({.client = names[i]}, Fault::drop_answer());
          break;
        case 4:
          server.fail_next({.client = names[i]}, Fault::conflict());
          break;
        case 9:
          if (!history.empty()) candidates[i]->elector.lease_seen(kube::Lease::from_json(history.back()));
          break;
        case 10:
          if (!history.empty()) {
            candidates[i]->elector.lease_seen(
                kube::Lease::from_json(history[random->next() % history.size()]));
          }
          break;
        case 5:
        case 6:
        case 7:
        case 8:
          candidates[i]->clock.thaw();
          server.partition(names[i], false);
          server.freeze(names[i], false);
          break;
        default:
          break;
      }
      clock.advance(std::chrono::milliseconds(random->next() % 3000));
      int writers = 0;
      for (std::size_t k = 0; k < names.size(); ++k) {
        writers += candidates[k]->may_write() ? 1 : 0;
        if (candidates[k]->stopped > 0) restart(k);
      }
      ASSERT_LE(writers, 1);
    }

    server.clear_faults();
    for (std::size_t i = 0; i < names.size(); ++i) {
      candidates[i]->clock.thaw();
      server.partition(names[i], false);
      server.freeze(names[i], false);
    }
    clock.advance(30s);
    int writers = 0;
    for (const auto& candidate : candidates) writers += candidate->may_write() ? 1 : 0;
    EXPECT_EQ(writers, 1);
  }
}

}  // namespace
}  // namespace convoke::runtime
