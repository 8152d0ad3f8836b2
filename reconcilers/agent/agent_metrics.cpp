#include "reconcilers/agent/agent_metrics.h"

#include <array>

#include "controller/runtime/bounded_series.h"
#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"

namespace convoke::agent {
namespace {

constexpr std::size_t kPhases = static_cast<std::size_t>(api::AgentPhase::Degraded) + 1;

constexpr std::size_t kCircuits = static_cast<std::size_t>(api::CircuitState::HalfOpen) + 1;

struct TypeSeries {
  prometheus::Gauge* capacity;
  prometheus::Gauge* active;
};

}  // namespace

struct AgentMetrics::Impl {
  explicit Impl(prometheus::Registry& registry)
      : by_type(kMaxTypes, [&registry](const std::string& type) {
          return TypeSeries{&runtime::make_gauge(registry, metric::kAgentCapacity,
                                                 "Tasks that the Ready agents of a type may have at once",
                                                 {{"type", type}}),
                            &runtime::make_gauge(registry, metric::kAgentActive,
                                                 "Tasks that the agents of a type have, as their status says",
                                                 {{"type", type}})};
        }) {
    for (std::size_t i = 0; i < kPhases; ++i) {
      agents[i] = &runtime::make_gauge(registry, metric::kAgents, "Agents by phase",
                                       {{"phase", api::to_string(static_cast<api::AgentPhase>(i))}});
    }
    for (std::size_t i = 0; i < kCircuits; ++i) {
      circuits[i] =
          &runtime::make_gauge(registry, metric::kAgentCircuits, "Agents by the state of their circuit",
                               {{"circuit", api::to_string(static_cast<api::CircuitState>(i))}});
    }
  }

  void count(const api::Agent& agent, int sign) {
    agents[static_cast<std::size_t>(agent.status.phase)]->Increment(sign);
    circuits[static_cast<std::size_t>(agent.status.circuit)]->Increment(sign);
    by_type.with(agent.spec.type, [&](TypeSeries& series) {
      const bool ready = agent.status.phase == api::AgentPhase::Ready;
      series.capacity->Increment(ready ? sign * agent.spec.capacity : 0);
      series.active->Increment(sign * agent.status.active_tasks);
    });
  }

  std::array<prometheus::Gauge*, kPhases> agents{};
  std::array<prometheus::Gauge*, kCircuits> circuits{};
  runtime::BoundedSeries<TypeSeries> by_type;
};

AgentMetrics::AgentMetrics(prometheus::Registry& registry) : impl_(std::make_unique<Impl>(registry)) {}
AgentMetrics::~AgentMetrics() = default;

void AgentMetrics::agent_changed(const api::Agent* before, const api::Agent* after) {
  if (before != nullptr) {
    impl_->count(*before, -1);
  }
  if (after != nullptr) {
    impl_->count(*after, 1);
  }
}

}  // namespace convoke::agent
