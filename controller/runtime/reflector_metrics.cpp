#include "controller/runtime/reflector_metrics.h"

#include <algorithm>
#include <utility>

#include "controller/runtime/metric_builders.h"
#include "controller/runtime/metric_names.h"

namespace convoke::runtime {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void add(MetricFamily& family, const std::string& resource, double value) {
  prometheus::ClientMetric metric;
  metric.label.push_back({"resource", resource});
  if (family.type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family.metric.push_back(std::move(metric));
}

}  // namespace

ReflectorMetrics::ReflectorMetrics(Clock& clock, std::vector<const Reflector*> reflectors)
    : clock_(clock), reflectors_(std::move(reflectors)) {}

std::map<std::string, ReflectorState> ReflectorMetrics::by_resource() const {
  std::map<std::string, ReflectorState> states;
  for (const Reflector* reflector : reflectors_) {
    const ReflectorState state = reflector->state();
    const auto [place, is_first] = states.try_emplace(reflector->resource(), state);
    if (is_first) continue;
    ReflectorState& sum = place->second;
    sum.synced = sum.synced && state.synced;
    sum.heard_at = std::min(sum.heard_at, state.heard_at);
    sum.lists += state.lists;
    sum.failures += state.failures;
  }
  return states;
}

std::vector<MetricFamily> ReflectorMetrics::Collect() const {
  MetricFamily synced{metric::kCacheSynced,
                      "Whether the cache of the resource has had a complete list",
                      MetricType::Gauge,
                      {}};
  MetricFamily silence{metric::kCacheSilence,
                       "Since the API server last sent anything for the cache: an event, a bookmark, a list",
                       MetricType::Gauge,
                       {}};
  MetricFamily lists{metric::kCacheLists,
                     "Complete lists that were read; more than one: the watch fell behind",
                     MetricType::Counter,
                     {}};
  MetricFamily failures{
      metric::kCacheFailures, "Lists and watches of the resource that failed", MetricType::Counter, {}};
  for (const auto& [resource, state] : by_resource()) {
    add(synced, resource, state.synced ? 1 : 0);
    add(silence, resource, seconds(clock_.monotonic_now() - state.heard_at));
    add(lists, resource, static_cast<double>(state.lists));
    add(failures, resource, static_cast<double>(state.failures));
  }
  return {std::move(synced), std::move(silence), std::move(lists), std::move(failures)};
}

}  // namespace convoke::runtime
