// convoke_agents{phase}: how many agents there are. Every series exists from the start, at 0.
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include <array>

#include "reconcilers/api/agent.h"

namespace prometheus {
class Gauge;
class Registry;
}  // namespace prometheus

namespace convoke::agent {

class AgentMetrics {
 public:
  explicit AgentMetrics(prometheus::Registry& registry);

  void agent_changed(const api::Agent* before, const api::Agent* after);

 private:
  static constexpr std::size_t kPhases = static_cast<std::size_t>(api::AgentPhase::Draining) + 1;
  std::array<prometheus::Gauge*, kPhases> agents_{};
};

}  // namespace convoke::agent
