#include "reconcilers/task/task_metrics.h"

#include <array>
#include <cstddef>

#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"

namespace convoke::task {
namespace {

constexpr std::size_t kPhases = static_cast<std::size_t>(api::TaskPhase::Cancelled) + 1;
constexpr std::size_t kOutcomes = static_cast<std::size_t>(api::AttemptOutcome::Cancelled) + 1;

prometheus::Histogram::BucketBoundaries wait_buckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800};
}

}  // namespace

struct TaskMetrics::Impl {
  explicit Impl(prometheus::Registry& registry)
      : queue(runtime::make_histogram(registry, metric::kTaskQueueSeconds,
                                      "From when a Task was seen to want an agent until it was matched", {},
                                      wait_buckets())),
        assign(runtime::make_histogram(registry, metric::kTaskAssignSeconds,
                                       "From when a Task was seen to want an agent until it was assigned", {},
                                       wait_buckets())),
        waiting(runtime::make_gauge(registry, metric::kSchedulerWaiting,
                                    "Tasks that want an agent and have none", {})),
        decisions(runtime::make_counter(registry, metric::kSchedulerDecisions,
                                        "Tasks that were matched with an agent", {})) {
    for (std::size_t i = 0; i < kPhases; ++i) {
      tasks[i] = &runtime::make_gauge(registry, metric::kTasks, "Tasks by phase",
                                      {{"phase", api::to_string(static_cast<api::TaskPhase>(i))}});
    }
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      attempts[i] =
          &runtime::make_counter(registry, metric::kTaskAttempts, "Attempts that ended, by outcome",
                                 {{"outcome", api::to_string(static_cast<api::AttemptOutcome>(i))}});
    }
  }

  std::array<prometheus::Gauge*, kPhases> tasks{};
  std::array<prometheus::Counter*, kOutcomes> attempts{};
  prometheus::Histogram& queue;
  prometheus::Histogram& assign;
  prometheus::Gauge& waiting;
  prometheus::Counter& decisions;
};

TaskMetrics::TaskMetrics(prometheus::Registry& registry) : impl_(std::make_unique<Impl>(registry)) {}
TaskMetrics::~TaskMetrics() = default;

void TaskMetrics::task_changed(const api::Task* before, const api::Task* after) {
  if (before != nullptr) {
    impl_->tasks[static_cast<std::size_t>(before->status.phase)]->Decrement();
  }
  if (after != nullptr) {
    impl_->tasks[static_cast<std::size_t>(after->status.phase)]->Increment();
  }
}

void TaskMetrics::attempt_ended(api::AttemptOutcome outcome) {
  impl_->attempts[static_cast<std::size_t>(outcome)]->Increment();
}

void TaskMetrics::assigned(Duration after) {
  impl_->assign.Observe(runtime::seconds(after));
}

void TaskMetrics::matched(Duration after) {
  impl_->queue.Observe(runtime::seconds(after));
  impl_->decisions.Increment();
}

void TaskMetrics::scheduler_waiting(std::size_t tasks) {
  impl_->waiting.Set(static_cast<double>(tasks));
}

}  // namespace convoke::task
