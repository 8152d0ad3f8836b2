#include "controller/runtime/work_queue_metrics.h"

#include "controller/runtime/metric_builders.h"
#include "controller/runtime/metric_names.h"

namespace convoke::runtime {
namespace {

// Ten to the power of -8 to 3, as client-go has it.
prometheus::Histogram::BucketBoundaries duration_buckets() {
  return {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};
}

}  // namespace

struct WorkQueueMetrics::Impl {
  Impl(prometheus::Registry& registry, const prometheus::Labels& labels)
      : depth(make_gauge(registry, metric::kQueueDepth, "Keys that wait for a worker", labels)),
        adds(make_counter(registry, metric::kQueueAdds, "Keys that were added", labels)),
        retries(make_counter(registry, metric::kQueueRetries, "Keys that were added with a delay", labels)),
        queue_duration(make_histogram(registry, metric::kQueueDuration, "How long keys waited for a worker",
                                      labels, duration_buckets())),
        work_duration(make_histogram(registry, metric::kQueueWorkDuration, "How long workers took for a key",
                                     labels, duration_buckets())),
        unfinished(make_gauge(registry, metric::kQueueUnfinished,
                              "Time spent so far on the keys that are with workers, in sum", labels)),
        longest_running(make_gauge(registry, metric::kQueueLongestRunning,
                                   "Time spent so far on the key that is longest with a worker", labels)) {}

  prometheus::Gauge& depth;
  prometheus::Counter& adds;
  prometheus::Counter& retries;
  prometheus::Histogram& queue_duration;
  prometheus::Histogram& work_duration;
  prometheus::Gauge& unfinished;
  prometheus::Gauge& longest_running;
};

WorkQueueMetrics::WorkQueueMetrics(prometheus::Registry& registry, const std::string& name)
    : impl_(std::make_unique<Impl>(registry, prometheus::Labels{{"name", name}, {"controller", name}})) {}

WorkQueueMetrics::~WorkQueueMetrics() = default;

void WorkQueueMetrics::added() {
  impl_->adds.Increment();
}

void WorkQueueMetrics::retried() {
  impl_->retries.Increment();
}

void WorkQueueMetrics::depth(std::size_t ready_keys) {
  impl_->depth.Set(static_cast<double>(ready_keys));
}

void WorkQueueMetrics::taken(Duration waited) {
  impl_->queue_duration.Observe(seconds(waited));
}

void WorkQueueMetrics::finished(Duration worked) {
  impl_->work_duration.Observe(seconds(worked));
}

void WorkQueueMetrics::unfinished(Duration total, Duration longest) {
  impl_->unfinished.Set(seconds(total));
  impl_->longest_running.Set(seconds(longest));
}

}  // namespace convoke::runtime
