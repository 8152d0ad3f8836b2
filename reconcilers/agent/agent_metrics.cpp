#include "reconcilers/agent/agent_metrics.h"

#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"

namespace convoke::agent {

AgentMetrics::AgentMetrics(prometheus::Registry& registry) {
  for (std::size_t i = 0; i < kPhases; ++i) {
    agents_[i] = &runtime::make_gauge(registry, metric::kAgents, "Agents by phase",
                                      {{"phase", api::to_string(static_cast<api::AgentPhase>(i))}});
  }
}

void AgentMetrics::agent_changed(const api::Agent* before, const api::Agent* after) {
  if (before != nullptr) {
    agents_[static_cast<std::size_t>(before->status.phase)]->Decrement();
  }
  if (after != nullptr) {
    agents_[static_cast<std::size_t>(after->status.phase)]->Increment();
  }
}

}  // namespace convoke::agent
