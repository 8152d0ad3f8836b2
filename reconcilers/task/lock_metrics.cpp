#include "reconcilers/task/lock_metrics.h"

#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"

namespace convoke::task {
namespace {

const prometheus::Histogram::BucketBoundaries kLockWaitBuckets{0.005, 0.025, 0.1, 0.5, 1,   5,
                                                               15,    60,    300, 900, 3600};

prometheus::Counter& freed_counter(prometheus::Registry& registry, const char* cause) {
  return runtime::make_counter(registry, metric::kLocksFreed, "Holders that a lock lost, by cause",
                               {{"cause", cause}});
}

}  // namespace

LockMetrics::LockMetrics(prometheus::Registry& registry)
    : grants_(runtime::make_counter(registry, metric::kLockGrants, "Locks that were granted to Tasks", {})),
      wait_(runtime::make_histogram(registry, metric::kLockWaitSeconds,
                                    "From when a Task with locks was seen to want an agent until it had all "
                                    "of its locks",
                                    {}, kLockWaitBuckets)),
      released_(freed_counter(registry, "Released")),
      broken_(freed_counter(registry, "Broken")),
      expired_(freed_counter(registry, "Expired")),
      held_(runtime::make_gauge(registry, metric::kLocksHeld, "Locks that somebody holds", {})) {}

void LockMetrics::granted() {
  grants_.Increment();
}

void LockMetrics::waited(Duration time) {
  wait_.Observe(runtime::seconds(time));
}

void LockMetrics::freed(LockDecision::Why why, std::size_t holders) {
  const auto count = static_cast<double>(holders);
  switch (why) {
    case LockDecision::Why::Nothing:
    case LockDecision::Why::Renewed:
      return;
    case LockDecision::Why::Released:
      return released_.Increment(count);
    case LockDecision::Why::Broken:
      return broken_.Increment(count);
    case LockDecision::Why::Expired:
      return expired_.Increment(count);
  }
}

void LockMetrics::held(int change) {
  held_.Increment(change);
}

}  // namespace convoke::task
