#include "reconcilers/task/waiting_metrics.h"

#include <algorithm>
#include <array>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

constexpr char kNew[] = "New";
constexpr char kOther[] = "Other";
constexpr std::array kReasons{kNew,
                              reason::kQueued,
                              reason::kAgentsBusy,
                              reason::kNoEligibleAgent,
                              reason::kWaitingForLock,
                              reason::kRetrying,
                              reason::kRejected,
                              reason::kNotBefore,
                              reason::kDuplicateOf,
                              reason::kDelegated,
                              reason::kSuspended,
                              reason::kInvalidSpec,
                              kOther};

bool waits(const api::Task& task) {
  return !task.meta.being_deleted() &&
         (task.status.phase == api::TaskPhase::Pending || task.status.phase == api::TaskPhase::Queued);
}

const char* reason_of(const api::TaskStatus& status) {
  if (!status.present || status.reason.empty()) {
    return kNew;
  }
  const auto known = std::find(kReasons.begin(), kReasons.end(), status.reason);
  return known == kReasons.end() ? kOther : *known;
}

// As somebody wants it: nothing is late.
bool waits_on_purpose(std::string_view why) {
  return why == reason::kSuspended || why == reason::kInvalidSpec || why == reason::kNotBefore ||
         why == reason::kDuplicateOf;
}

std::optional<WallTime> waiting_since(const api::Task& task) {
  const bool queued = task.status.phase == api::TaskPhase::Queued && !task.status.queued_at.empty();
  const auto time = parse_time(queued ? task.status.queued_at : task.meta.creation_timestamp);
  return time ? std::optional(*time) : std::nullopt;
}

void add(prometheus::MetricFamily& family, const std::string& why, double value) {
  prometheus::ClientMetric metric;
  metric.label.push_back({"reason", why});
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

}  // namespace

WaitingMetrics::WaitingMetrics(Clock& clock) : clock_(clock) {
  const MutexLock lock(mutex_);
  for (const char* why : kReasons) {
    by_reason_[why];
  }
}

void WaitingMetrics::task_changed(const api::Task* before, const api::Task* after) {
  const MutexLock lock(mutex_);
  if (before != nullptr) {
    count(*before, -1);
  }
  if (after != nullptr) {
    count(*after, 1);
  }
}

void WaitingMetrics::count(const api::Task& task, int change) {
  if (!waits(task)) {
    return;
  }
  const char* why = reason_of(task.status);
  Waiting& waiting = by_reason_[why];
  waiting.tasks += change;
  const auto since = waiting_since(task);
  if (!since || waits_on_purpose(why)) {
    return;
  }
  const auto place = waiting.since.try_emplace(*since, 0).first;
  place->second += change;
  if (place->second == 0) {
    waiting.since.erase(place);
  }
}

std::vector<prometheus::MetricFamily> WaitingMetrics::Collect() const {
  using prometheus::MetricType;
  prometheus::MetricFamily tasks{metric::kTasksWaiting,
                                 "Tasks that are Pending or Queued, by the reason in their status",
                                 MetricType::Gauge,
                                 {}};
  prometheus::MetricFamily oldest{metric::kOldestWaiting,
                                  "How long the Task that waits longest has been waiting, by reason",
                                  MetricType::Gauge,
                                  {}};
  const WallTime now = clock_.wall_now();
  const MutexLock lock(mutex_);
  for (const auto& [why, waiting] : by_reason_) {
    add(tasks, why, std::max(waiting.tasks, 0));
    const auto first = std::find_if(waiting.since.begin(), waiting.since.end(),
                                    [](const auto& place) { return place.second > 0; });
    const bool anybody = first != waiting.since.end();
    add(oldest, why, anybody ? std::max(0.0, runtime::seconds(now - first->first)) : 0.0);
  }
  return {std::move(tasks), std::move(oldest)};
}

}  // namespace convoke::task
