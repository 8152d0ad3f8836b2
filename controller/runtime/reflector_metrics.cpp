#include "controller/runtime/reflector_metrics.h"

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
  const MonotonicTime now = clock_.monotonic_now();
  for (const Reflector* reflector : reflectors_) {
    const ReflectorState state = reflector->state();
    const std::string& resource = reflector->resource();
    add(synced, resource, state.synced ? 1 : 0);
    add(silence, resource, seconds(now - state.heard_at));
    add(lists, resource, static_cast<double>(state.lists));
    add(failures, resource, static_cast<double>(state.failures));
  }
  return {std::move(synced), std::move(silence), std::move(lists), std::move(failures)};
}

}  // namespace convoke::runtime
