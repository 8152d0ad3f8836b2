#include "controller/runtime/manager.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "controller/kube/client_metrics.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;

const kube::ResourceType kConfigMaps{"", "v1", "configmaps", "ConfigMap", true};
const kube::ObjectKey kLeaseKey{"convoke", "leader"};

// Enqueues every object that it sees.
class EnqueuingSink final : public ReflectorSink {
 public:
  explicit EnqueuingSink(Controller& controller) : controller_(controller) {}
  void begin_replace() override {}
  void add_to_replace(const Json& object) override { apply(object); }
  void finish_replace(const std::string&) override {}
  void apply(const Json& object) override { controller_.queue().add(kube::meta_from_json(object).key()); }
  void remove(const Json&) override {}

 private:
  Controller& controller_;
};

class NotingReconciler final : public Reconciler {
 public:
  ReconcileResult reconcile(const kube::ObjectKey& key) override {
    keys.push_back(key.str());
    return Done{};
  }
  std::vector<std::string> keys;
};

// The real parts, as a program puts them together.
class Process {
 public:
  Process(fakes::FakeApiServer& server, Clock& clock, const std::string& identity)
      : transport_(server.connect(identity)),
        client_(*transport_, clock, *random_, client_metrics_, {.deadline = 5s}),
        controller_({.name = "configmap", .workers = 2}, reconciler, clock, Logger(), registry_),
        reflector_(client_, clock, *random_, Logger(), {.type = kConfigMaps},
                   std::make_unique<EnqueuingSink>(controller_)),
        elector_(client_, clock, *random_, Logger(), registry_, {.lease = kLeaseKey, .identity = identity},
                 {.on_started_leading = [this] { manager.leadership_gained(); },
                  .on_stopped_leading = [this] { manager.leadership_lost(); },
                  .on_new_leader = {}}),
        events_(client_, clock, Logger(), registry_, {}),
        manager(clock, Logger(),
                {.endpoints = {},
                 .reflectors = {&reflector_},
                 .leader = &elector_,
                 .on_leading = {},
                 .controllers = {&controller_},
                 .events = &events_}),
        runner_(clock.start_thread(identity, [this] { result = manager.run(); })) {}
  ~Process() {
    manager.request_stop();
    runner_->join();
  }

  NotingReconciler reconciler;
  std::optional<Status> result;

 private:
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  prometheus::Registry registry_;
  std::unique_ptr<kube::Transport> transport_;
  kube::ClientMetrics client_metrics_{registry_, "fake"};
  kube::Client client_;
  Controller controller_;
  Reflector reflector_;
  LeaderElector elector_;
  ApiEventRecorder events_;

 public:
  Manager manager;

 private:
  std::unique_ptr<Thread> runner_;
};

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() {
    fakes::register_builtin_types(server_);
    server_.put(kConfigMaps, {{"metadata", {{"name", "one"}, {"namespace", "team"}}}});
  }
  std::string holder() const {
    return kube::Lease::from_json(server_.object(kube::kLease, kLeaseKey).value()).holder_identity;
  }

  fakes::FakeClock clock_;
  fakes::FakeApiServer server_{clock_};
};

TEST_F(ManagerTest, UnsyncedCacheIsNamed) {
  server_.partition("a", true);
  Process process(server_, clock_, "a");
  clock_.advance(1s);
  EXPECT_FALSE(process.manager.caches_synced());
  EXPECT_THAT(process.manager.unsynced(), testing::ElementsAre(testing::StartsWith("configmaps: ")));
  server_.partition("a", false);
}

TEST_F(ManagerTest, DeposedLeaderEndsWithAnError) {
  Process process(server_, clock_, "a");
  clock_.settle();
  server_.edit(kube::kLease, kLeaseKey, [](Json& lease) { lease["spec"]["holderIdentity"] = "thief"; });
  clock_.advance(1min);
  ASSERT_TRUE(process.result);
  EXPECT_FALSE(*process.result);
  EXPECT_EQ(holder(), "thief");
}

TEST_F(ManagerTest, StandbyTakesOverFromALeaderThatStopsAndWorksFromItsWarmCache) {
  Process leader(server_, clock_, "a");
  clock_.settle();
  Process standby(server_, clock_, "b");
  clock_.advance(1min);
  EXPECT_THAT(leader.reconciler.keys, testing::ElementsAre("team/one"));
  EXPECT_TRUE(standby.manager.caches_synced());
  EXPECT_TRUE(standby.reconciler.keys.empty());

  leader.manager.request_stop();
  clock_.advance(5s);
  ASSERT_TRUE(leader.result);
  EXPECT_TRUE(*leader.result);
  EXPECT_EQ(holder(), "b");
  EXPECT_THAT(standby.reconciler.keys, testing::ElementsAre("team/one"));
}

}  // namespace
}  // namespace convoke::runtime
