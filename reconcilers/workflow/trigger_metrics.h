// convoke_trigger_firings_total{type, result}: what became of each time that a trigger should have started a
// run. Every series exists from the start, at 0; all objects of one registry count in the same series.
//
//   Started   a run was made
//   Refused   the API server did not take the run, or its parameters cannot be had; asked again, it counts
//             again
//   Missed    of schedules: no run was made for that time, and none will be
//   Skipped   likewise, because concurrencyPolicy is Forbid and a run goes on
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "reconcilers/api/workflow.h"

namespace prometheus {
class Counter;
class Registry;
}  // namespace prometheus

namespace convoke::workflow {

class TriggerMetrics {
 public:
  explicit TriggerMetrics(prometheus::Registry& registry);

  // `after` was written over `before`.
  void status_written(const api::WorkflowStatus& before, const api::WorkflowStatus& after);
  void started(api::TriggerType type) { count(type, kStarted, 1); }
  void refused(api::TriggerType type) { count(type, kRefused, 1); }

 private:
  static constexpr char kStarted[] = "Started";
  static constexpr char kRefused[] = "Refused";
  static constexpr char kMissed[] = "Missed";
  static constexpr char kSkipped[] = "Skipped";

  void count(api::TriggerType type, const char* result, std::int64_t times);

  std::map<std::pair<api::TriggerType, std::string>, prometheus::Counter*> counters_;
};

}  // namespace convoke::workflow
