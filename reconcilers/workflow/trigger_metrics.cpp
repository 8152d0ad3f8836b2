#include "reconcilers/workflow/trigger_metrics.h"

#include <algorithm>

#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"

namespace convoke::workflow {
namespace {

using api::TriggerType;

api::TriggerStatus row_of(const api::WorkflowStatus& status, const std::string& name) {
  const auto& rows = status.triggers;
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
  return found == rows.end() ? api::TriggerStatus{} : *found;
}

}  // namespace

TriggerMetrics::TriggerMetrics(prometheus::Registry& registry) {
  const auto add = [&](TriggerType type, const char* result) {
    counters_[{type, result}] = &runtime::make_counter(
        registry, metric::kTriggerFirings,
        "Times that a trigger should have started a run, by its type and what became of it",
        {{"type", api::to_string(type)}, {"result", result}});
  };
  for (const auto type :
       {TriggerType::Create, TriggerType::Change, TriggerType::Schedule, TriggerType::Event}) {
    add(type, kStarted);
    add(type, kRefused);
  }
  add(TriggerType::Schedule, kMissed);
  add(TriggerType::Schedule, kSkipped);
}

void TriggerMetrics::status_written(const api::WorkflowStatus& before, const api::WorkflowStatus& after) {
  if (before.created_run.empty() && !after.created_run.empty()) {
    started(TriggerType::Create);
  }
  for (const auto& row : after.triggers) {
    const auto former = row_of(before, row.name);
    const bool is_schedule = row.type == api::to_string(TriggerType::Schedule);
    if (!row.last_run.empty() && row.last_run != former.last_run) {
      started(is_schedule ? TriggerType::Schedule : TriggerType::Change);
    }
    if (is_schedule) {
      count(TriggerType::Schedule, kMissed, row.missed - former.missed);
      count(TriggerType::Schedule, kSkipped, row.skipped - former.skipped);
    }
  }
}

void TriggerMetrics::count(TriggerType type, const char* result, std::int64_t times) {
  if (times > 0) {
    counters_.at({type, result})->Increment(static_cast<double>(times));
  }
}

}  // namespace convoke::workflow
