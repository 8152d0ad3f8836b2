// What the benchmark's phases share: a client, threads that work through a list, and percentiles.
//
// Thread safety: parallel_for joins before it returns; the rest is for one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/kube/client_metrics.h"

namespace prometheus {
class Registry;
}

namespace convoke::bench {

inline constexpr int kClientThreads = 32;
inline constexpr char kNamespace[] = "default";

// The real parts that every phase needs.
struct World {
  SystemClock clock;
  std::unique_ptr<Random> random = make_system_random();
  std::shared_ptr<prometheus::Registry> registry;
  std::unique_ptr<kube::ClientMetrics> metrics;
  std::unique_ptr<kube::Transport> transport;
  std::unique_ptr<kube::Client> client;
};

// Reads the kubeconfig as kubectl does. Exits with a message if it cannot.
std::unique_ptr<World> connect();

// Calls body(0..count-1) from `threads` threads.
void parallel_for(Clock& clock, int count, int threads, const std::function<void(int)>& body);

// Calls body(i) from `threads` threads, the i-th not before i / per_second; 0 means as fast as possible.
void paced_for(Clock& clock, int count, double per_second, int threads, const std::function<void(int)>& body);

// As a number, for a report.
inline double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

// The value below which `fraction` of the samples lie; 0 if there are none.
double percentile(std::vector<double> samples, double fraction);

// Ends the program with a message if the call failed: a benchmark with errors measures nothing.
template <class T>
T must(Result<T> result, const char* what);

[[noreturn]] void fail(const std::string& message);

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) fail(std::string(what) + ": " + result.error().describe());
  return std::move(*result);
}

}  // namespace convoke::bench
