#include "reconcilers/workflow/run_metrics.h"

#include <array>

#include "controller/base/time_format.h"
#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"
#include "reconcilers/workflow/run_events.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kRunPhases = static_cast<std::size_t>(api::RunPhase::Cancelled) + 1;
constexpr std::size_t kStepPhases = static_cast<std::size_t>(api::StepPhase::Cancelled) + 1;

}  // namespace

struct RunMetrics::Impl {
  explicit Impl(prometheus::Registry& registry)
      : duration(runtime::make_histogram(
            registry, metric::kRunDuration, "From a run's start until it ended, in whatever way", {},
            {0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600})) {
    for (std::size_t i = 0; i < kRunPhases; ++i) {
      runs[i] = &runtime::make_gauge(registry, metric::kRuns, "WorkflowRuns by phase",
                                     {{"phase", api::to_string(static_cast<api::RunPhase>(i))}});
    }
    for (std::size_t i = 0; i < kStepPhases; ++i) {
      if (api::is_terminal(static_cast<api::StepPhase>(i))) {
        steps[i] = &runtime::make_counter(registry, metric::kSteps, "Steps of runs that ended, by phase",
                                          {{"phase", api::to_string(static_cast<api::StepPhase>(i))}});
      }
    }
  }

  std::array<prometheus::Gauge*, kRunPhases> runs{};
  std::array<prometheus::Counter*, kStepPhases> steps{};
  prometheus::Histogram& duration;
};

RunMetrics::RunMetrics(prometheus::Registry& registry) : impl_(std::make_unique<Impl>(registry)) {}
RunMetrics::~RunMetrics() = default;

void RunMetrics::run_changed(const api::WorkflowRun* before, const api::WorkflowRun* after) {
  if (before != nullptr) {
    impl_->runs[static_cast<std::size_t>(before->status.phase)]->Decrement();
  }
  if (after != nullptr) {
    impl_->runs[static_cast<std::size_t>(after->status.phase)]->Increment();
  }
}

void RunMetrics::status_written(const api::WorkflowRunStatus& before, const api::WorkflowRunStatus& after,
                                WallTime now) {
  for (const auto* row : newly_ended(before, after)) {
    impl_->steps[static_cast<std::size_t>(row->phase)]->Increment();
  }
  if (!api::is_terminal(after.phase) || api::is_terminal(before.phase)) {
    return;
  }
  if (const auto started = parse_time(after.started_at)) {
    impl_->duration.Observe(runtime::seconds(std::max(now - *started, Duration::zero())));
  }
}

}  // namespace convoke::workflow
