// A small operator around one reconciler, on a fake clock and a fake API server, and an agent's hands.
//
// The reconciler, its queue, reflectors, caches and client are the real ones. One operator is a Testbed; the
// world (clock and API server) outlives it, so that a test can stop one operator and start the next.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "controller/base/mutex.h"
#include "controller/kube/client.h"
#include "controller/kube/client_metrics.h"
#include "controller/runtime/controller.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/reflector.h"
#include "reconcilers/api/caches.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::testing {

struct RecordedEvent {
  std::string object;
  std::string reason;
  std::string note;
};

class EventLog final : public runtime::EventRecorder {
 public:
  void record(const kube::ObjectReference& regarding, runtime::EventType, const std::string& reason,
              const std::string&, const std::string& note) override {
    const MutexLock lock(mutex_);
    events_.push_back({regarding.name, reason, note});
  }
  // The reasons of an object's events, in order.
  std::vector<std::string> of(const std::string& object) const {
    const MutexLock lock(mutex_);
    std::vector<std::string> reasons;
    for (const RecordedEvent& event : events_) {
      if (event.object == object) {
        reasons.push_back(event.reason);
      }
    }
    return reasons;
  }

 private:
  mutable Mutex mutex_;
  std::vector<RecordedEvent> events_ GUARDED_BY(mutex_);
};

struct World {
  World() { fakes::register_convoke_types(server); }

  fakes::FakeClock clock;
  fakes::FakeApiServer server{clock};
  EventLog events;
};

inline constexpr char kOperator[] = "operator";

// What every operator has; a test's own operator adds its reconciler, calls run() when all is wired, and
// stop() before its reconciler goes.
class Testbed {
 public:
  explicit Testbed(World& its_world, std::uint64_t seed = 7)
      : world(its_world),
        random(make_seeded_random(seed)),
        transport(world.server.connect(kOperator)),
        client_metrics(registry, "fake"),
        client(*transport, world.clock, *random, client_metrics) {}

  void add_controller(const std::string& name, runtime::Reconciler& reconciler, int workers = 4,
                      std::function<bool(const kube::ObjectKey&)> exists = {}) {
    controller = std::make_unique<runtime::Controller>(
        runtime::ControllerOptions{name, workers, {}, std::move(exists)}, reconciler, world.clock, Logger(),
        registry);
  }

  template <class T>
  void add_reflector(const kube::ResourceType& type, runtime::Store<T>& store,
                     const std::string& label = {}) {
    reflectors.push_back(std::make_unique<runtime::Reflector>(
        client, world.clock, *random, Logger(), runtime::ReflectorSource{type, {}, label, {}},
        std::make_unique<runtime::StoreSink<T>>(store)));
  }

  void sync() {
    for (const auto& reflector : reflectors) {
      reflector->start();
    }
    world.clock.settle();
  }

  void stop() {
    transport->shutdown();
    client.shutdown();
    for (const auto& reflector : reflectors) {
      reflector->stop();
    }
    if (controller != nullptr) {
      controller->stop(std::chrono::seconds(1));
    }
    reflectors.clear();
    controller.reset();
  }

  std::string metrics() const { return prometheus::TextSerializer().Serialize(registry.Collect()); }

  World& world;
  prometheus::Registry registry;
  std::unique_ptr<Random> random;
  std::unique_ptr<kube::Transport> transport;
  kube::ClientMetrics client_metrics;
  kube::Client client;
  api::Caches caches;
  std::unique_ptr<runtime::Controller> controller;
  std::vector<std::unique_ptr<runtime::Reflector>> reflectors;
};

inline Json metadata(const std::string& name) {
  return {{"namespace", "default"}, {"name", name}};
}

}  // namespace convoke::testing
