#include "reconcilers/agent/heartbeat_monitor.h"

#include <gtest/gtest.h>

#include "reconcilers/api/agent.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::agent {
namespace {

using namespace std::chrono_literals;

const kube::ObjectKey kBuilder{"default", "builder"};

kube::Lease make_lease(const std::string& renew_time, const std::string& holder = "pod-1") {
  kube::Lease lease;
  lease.meta.namespace_ = "default";
  lease.meta.name = "convoke-agent-builder";
  lease.meta.labels[api::label::kAgent] = "builder";
  lease.renew_time = renew_time;
  lease.holder_identity = holder;
  return lease;
}

class HeartbeatMonitorTest : public ::testing::Test {
 protected:
  Duration age() const { return monitor.age(*monitor.last(kBuilder)); }

  fakes::FakeClock clock;
  HeartbeatMonitor monitor{clock};
};

TEST_F(HeartbeatMonitorTest, ALeaseWhoseNameAndLabelDisagreeIsNobodysHeartbeat) {
  kube::Lease forged = make_lease("1");
  forged.meta.name = "convoke-agent-other";
  EXPECT_FALSE(HeartbeatMonitor::agent_of(forged));
  EXPECT_FALSE(monitor.observe(forged));
  EXPECT_FALSE(monitor.last(kBuilder));
}

TEST_F(HeartbeatMonitorTest, ALeaseThatWasNeverRenewedIsNoHeartbeat) {
  EXPECT_FALSE(monitor.observe(make_lease("")));
  EXPECT_FALSE(monitor.last(kBuilder));
}

TEST_F(HeartbeatMonitorTest, AgeCountsFromWhenAChangeWasSeenWhateverItSays) {
  EXPECT_TRUE(monitor.observe(make_lease("2001-01-01T00:00:00Z")));
  EXPECT_EQ(age(), 0s);
  clock.advance(30s);
  EXPECT_FALSE(monitor.observe(make_lease("2001-01-01T00:00:00Z"))) << "a repeated event is no heartbeat";
  EXPECT_EQ(age(), 30s);
  EXPECT_FALSE(monitor.observe(make_lease("2000-01-01T00:00:00Z"))) << "an earlier time is a change too";
  EXPECT_EQ(age(), 0s);
  EXPECT_TRUE(monitor.last(kBuilder)->changed);
}

TEST_F(HeartbeatMonitorTest, AnotherHolderIsRemarkable) {
  monitor.observe(make_lease("1"));
  EXPECT_TRUE(monitor.observe(make_lease("2", "pod-2")));
}

TEST_F(HeartbeatMonitorTest, AnAgentThatShouldBeatIsSilentFromTheFirstLook) {
  monitor.expect(kBuilder);
  clock.advance(5s);
  monitor.expect(kBuilder);
  EXPECT_EQ(age(), 5s);
}

TEST_F(HeartbeatMonitorTest, ExcusedSilenceBeginsAnewAndIsNoHeartbeat) {
  monitor.observe(make_lease("1"));
  clock.advance(5s);
  monitor.excuse(kBuilder);
  EXPECT_EQ(age(), 0s);
  EXPECT_FALSE(monitor.last(kBuilder)->changed);
}

}  // namespace
}  // namespace convoke::agent
