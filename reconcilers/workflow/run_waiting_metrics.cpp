#include "reconcilers/workflow/run_waiting_metrics.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

using Ages = std::map<WallTime, int>;

void add(Ages& ages, const std::string& since, int change) {
  const auto time = parse_time(since);
  if (!time) {
    return;
  }
  const auto place = ages.try_emplace(*time, 0).first;
  place->second += change;
  if (place->second == 0) {
    ages.erase(place);
  }
}

const std::string& start_of(const api::WorkflowRun& run) {
  const auto& status = run.status;
  return !status.round_started_at.empty() ? status.round_started_at
         : !status.started_at.empty()     ? status.started_at
                                          : run.meta.creation_timestamp;
}

double oldest(const Ages& ages, WallTime now) {
  const auto first = std::find_if(ages.begin(), ages.end(), [](const auto& age) { return age.second > 0; });
  return first == ages.end() ? 0.0 : std::max(0.0, runtime::seconds(now - first->first));
}

double how_many(const Ages& ages) {
  int sum = 0;
  for (const auto& [since, count] : ages) {
    sum += count;
  }
  return std::max(sum, 0);
}

prometheus::MetricFamily gauges(const char* name, const char* help, const char* label,
                                const std::map<std::string, Ages>& groups,
                                const std::function<double(const Ages&)>& value_of) {
  prometheus::MetricFamily family{name, help, prometheus::MetricType::Gauge, {}};
  for (const auto& [group, ages] : groups) {
    prometheus::ClientMetric metric;
    metric.label.push_back({label, group});
    metric.gauge.value = value_of(ages);
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace

RunWaitingMetrics::RunWaitingMetrics(Clock& clock) : clock_(clock) {
  const MutexLock lock(mutex_);
  for (const auto phase : {api::RunPhase::Pending, api::RunPhase::Running, api::RunPhase::Suspended,
                           api::RunPhase::Compensating}) {
    runs_by_phase_[api::to_string(phase)];
  }
  for (const char* why : {reason::kWaitingForApproval, reason::kWaitingForEvent, reason::kWaiting}) {
    steps_by_reason_[why];
  }
}

void RunWaitingMetrics::run_changed(const api::WorkflowRun* before, const api::WorkflowRun* after) {
  const MutexLock lock(mutex_);
  if (before != nullptr) {
    count(*before, -1);
  }
  if (after != nullptr) {
    count(*after, 1);
  }
}

void RunWaitingMetrics::count(const api::WorkflowRun& run, int change) {
  const auto group = runs_by_phase_.find(api::to_string(run.status.phase));
  if (group == runs_by_phase_.end()) {
    return;  // it has ended
  }
  add(group->second, start_of(run), change);
  for (const auto& row : run.status.steps) {
    if (row.phase != api::StepPhase::Running) {
      continue;
    }
    if (const auto waiting = steps_by_reason_.find(row.reason); waiting != steps_by_reason_.end()) {
      add(waiting->second, row.started_at, change);
    }
  }
}

std::vector<prometheus::MetricFamily> RunWaitingMetrics::Collect() const {
  const WallTime now = clock_.wall_now();
  const auto age = [now](const Ages& ages) { return oldest(ages, now); };
  const MutexLock lock(mutex_);
  return {
      gauges(metric::kRunOldest, "How long ago the oldest run that has not ended began, by phase", "phase",
             runs_by_phase_, age),
      gauges(metric::kStepsWaiting, "Steps of runs that wait, by the reason in their row", "reason",
             steps_by_reason_, how_many),
      gauges(metric::kStepOldestWaiting, "How long the step that waits longest has been waiting, by reason",
             "reason", steps_by_reason_, age)};
}

}  // namespace convoke::workflow
