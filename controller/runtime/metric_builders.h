// Short forms for making Prometheus metrics. For .cpp files: public headers do not show prometheus-cpp.
#pragma once

#include <chrono>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "controller/base/clock.h"

namespace convoke::runtime {

inline double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

inline prometheus::Counter& make_counter(prometheus::Registry& registry, const char* name, const char* help,
                                         const prometheus::Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
}

inline prometheus::Gauge& make_gauge(prometheus::Registry& registry, const char* name, const char* help,
                                     const prometheus::Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

inline prometheus::Histogram& make_histogram(prometheus::Registry& registry, const char* name,
                                             const char* help, const prometheus::Labels& labels,
                                             const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(labels, buckets);
}

}  // namespace convoke::runtime
