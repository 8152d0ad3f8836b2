#include "reconcilers/dispatch/dispatch_metrics.h"

#include <map>

#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"

namespace convoke::dispatch {
namespace {

prometheus::Counter& requests(prometheus::Registry& registry, const char* mode, const std::string& result) {
  return runtime::make_counter(registry, metric::kDispatchRequests,
                               "Requests to agents that Tasks are brought to, by how they were answered",
                               {{"mode", mode}, {"result", result}});
}

prometheus::Histogram& seconds_of(prometheus::Registry& registry, const char* mode) {
  return runtime::make_histogram(registry, metric::kDispatchSeconds, "How long such a request took",
                                 {{"mode", mode}},
                                 {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300});
}

std::string result_of(int http_status) {
  return http_status < 200 || http_status > 599 ? "error" : std::to_string(http_status / 100) + "xx";
}

}  // namespace

struct DispatchMetrics::Impl {
  explicit Impl(prometheus::Registry& registry)
      : http_seconds(seconds_of(registry, "HTTP")),
        job_seconds(seconds_of(registry, "Job")),
        job_created(requests(registry, "Job", "created")),
        job_error(requests(registry, "Job", "error")) {
    for (const char* result : {"2xx", "3xx", "4xx", "5xx", "error"}) {
      http.emplace(result, &requests(registry, "HTTP", result));
    }
  }
  prometheus::Histogram& http_seconds;
  prometheus::Histogram& job_seconds;
  prometheus::Counter& job_created;
  prometheus::Counter& job_error;
  std::map<std::string, prometheus::Counter*> http;
};

DispatchMetrics::DispatchMetrics(prometheus::Registry& registry) : impl_(std::make_unique<Impl>(registry)) {}
DispatchMetrics::~DispatchMetrics() = default;

void DispatchMetrics::http_answered(int http_status, Duration took) {
  impl_->http.at(result_of(http_status))->Increment();
  impl_->http_seconds.Observe(runtime::seconds(took));
}

void DispatchMetrics::job_asked(bool created, Duration took) {
  (created ? impl_->job_created : impl_->job_error).Increment();
  impl_->job_seconds.Observe(runtime::seconds(took));
}

}  // namespace convoke::dispatch
