#include "controller/kube/client_metrics.h"

#include <array>
#include <chrono>
#include <map>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "controller/base/mutex.h"

namespace convoke::kube {
namespace {

constexpr char kThrottled[] = "429";
constexpr std::array kVerbs{"GET", "POST", "PUT", "PATCH", "DELETE"};
constexpr std::array kCommonCodes{"200", "201", "404", "409", "429", "500", "503", "<error>"};

// client-go's buckets, in seconds.
const prometheus::Histogram::BucketBoundaries kBuckets{0.005, 0.025, 0.1, 0.25, 0.5,  1.0,
                                                       2.0,   4.0,   8.0, 15.0, 30.0, 60.0};

}  // namespace

struct ClientMetrics::Impl {
  Impl(prometheus::Registry& registry, std::string host_)
      : host(std::move(host_)),
        requests(prometheus::BuildCounter()
                     .Name("rest_client_requests_total")
                     .Help("Number of HTTP requests, partitioned by status code, method, and host.")
                     .Register(registry)),
        retries(prometheus::BuildCounter()
                    .Name("rest_client_request_retries_total")
                    .Help("Number of request retries, partitioned by status code, verb, and host.")
                    .Register(registry)),
        throttle_wait(prometheus::BuildCounter()
                          .Name("convoke_api_throttle_wait_seconds_total")
                          .Help("Time that requests waited because the API server answered 429 before")
                          .Register(registry)
                          .Add({{"host", host}})),
        durations(prometheus::BuildHistogram()
                      .Name("rest_client_request_duration_seconds")
                      .Help("Request latency in seconds. Broken down by verb, and host.")
                      .Register(registry)) {}

  prometheus::Counter& counter(const std::string& verb, const std::string& code) {
    MutexLock lock(mutex);
    auto& slot = counters[{verb, code}];
    if (slot == nullptr) slot = &requests.Add({{"code", code}, {"method", verb}, {"host", host}});
    return *slot;
  }
  prometheus::Counter& retry_counter(const std::string& verb, const std::string& code) {
    MutexLock lock(mutex);
    auto& slot = retry_counters[{verb, code}];
    if (slot == nullptr) slot = &retries.Add({{"code", code}, {"verb", verb}, {"host", host}});
    return *slot;
  }
  prometheus::Histogram& histogram(const std::string& verb) {
    MutexLock lock(mutex);
    auto& slot = histograms[verb];
    if (slot == nullptr) slot = &durations.Add({{"verb", verb}, {"host", host}}, kBuckets);
    return *slot;
  }

  const std::string host;
  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Counter>& retries;
  prometheus::Counter& throttle_wait;
  prometheus::Family<prometheus::Histogram>& durations;
  Mutex mutex;
  std::map<std::pair<std::string, std::string>, prometheus::Counter*> counters GUARDED_BY(mutex);
  std::map<std::pair<std::string, std::string>, prometheus::Counter*> retry_counters GUARDED_BY(mutex);
  std::map<std::string, prometheus::Histogram*> histograms GUARDED_BY(mutex);
};

ClientMetrics::ClientMetrics(prometheus::Registry& registry, std::string host)
    : impl_(std::make_unique<Impl>(registry, std::move(host))) {
  for (const auto* verb : kVerbs) {
    impl_->histogram(verb);
    for (const auto* code : kCommonCodes) impl_->counter(verb, code);
    impl_->retry_counter(verb, kThrottled);
  }
}

ClientMetrics::~ClientMetrics() = default;

void ClientMetrics::observe(const std::string& verb, const std::string& code, Duration took) {
  impl_->counter(verb, code).Increment();
  impl_->histogram(verb).Observe(std::chrono::duration<double>(took).count());
}

void ClientMetrics::retried(const std::string& verb, const std::string& code, Duration wait) {
  impl_->retry_counter(verb, code).Increment();
  if (code == kThrottled) impl_->throttle_wait.Increment(std::chrono::duration<double>(wait).count());
}

}  // namespace convoke::kube
