// convoke_agents{phase}, convoke_agent_circuits{circuit}, and by the agents' type convoke_agent_capacity (of
// those that are Ready) and convoke_agent_active_tasks: how many agents there are and how full. Phases exist
// from the start, at 0; types are bounded (bounded_series.h).
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include <cstddef>
#include <memory>

#include "reconcilers/api/agent.h"

namespace prometheus {
class Registry;
}

namespace convoke::agent {

class AgentMetrics {
 public:
  static constexpr std::size_t kMaxTypes = 20;

  explicit AgentMetrics(prometheus::Registry& registry);
  ~AgentMetrics();

  // An agent came (no `before`), changed or went (no `after`).
  void agent_changed(const api::Agent* before, const api::Agent* after);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::agent
