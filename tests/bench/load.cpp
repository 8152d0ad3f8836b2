#include "tests/bench/load.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>

#include <prometheus/registry.h>

#include "controller/base/logging.h"
#include "controller/kube/config.h"
#include "controller/kube/cpprest_transport.h"

namespace convoke::bench {

void fail(const std::string& message) {
  std::cerr << "convoke-bench: " << message << std::endl;
  std::_Exit(1);
}

std::unique_ptr<World> connect() {
  auto world = std::make_unique<World>();
  const auto config = must(kube::load_config({}), "reading the kubeconfig");
  world->registry = std::make_shared<prometheus::Registry>();
  world->metrics = std::make_unique<kube::ClientMetrics>(*world->registry, "bench");
  world->transport = must(kube::make_cpprest_transport(config, world->clock, Logger{}), "connecting");
  world->client =
      std::make_unique<kube::Client>(*world->transport, world->clock, *world->random, *world->metrics,
                                     kube::ClientOptions{.field_manager = "convoke-bench"});
  return world;
}

void parallel_for(Clock& clock, int count, int threads, const std::function<void(int)>& body) {
  paced_for(clock, count, 0, threads, body);
}

void paced_for(Clock& clock, int count, double per_second, int threads,
               const std::function<void(int)>& body) {
  std::atomic<int> next{0};
  const auto start = clock.monotonic_now();
  StopSignal never(clock);
  std::vector<std::unique_ptr<Thread>> workers;
  for (int t = 0; t < threads; ++t) {
    workers.push_back(clock.start_thread("bench-load", [&] {
      for (int i = next++; i < count; i = next++) {
        if (per_second > 0) {
          const auto due =
              start + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(i / per_second));
          const auto wait = due - clock.monotonic_now();
          if (wait > Duration::zero()) never.sleep_for(wait);
        }
        body(i);
      }
    }));
  }
}

double percentile(std::vector<double> samples, double fraction) {
  if (samples.empty()) return 0;
  const auto at =
      std::min(samples.size() - 1, static_cast<std::size_t>(fraction * static_cast<double>(samples.size())));
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(at), samples.end());
  return samples[at];
}

}  // namespace convoke::bench
