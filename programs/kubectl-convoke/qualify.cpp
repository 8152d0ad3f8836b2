#include "programs/kubectl-convoke/qualify.h"

#include <algorithm>
#include <list>
#include <tuple>
#include <utility>

#include "reconcilers/task/agent_pool.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/rule_book.h"
#include "reconcilers/task/strategy.h"

namespace convoke::plugin {
namespace {

task::AgentSlot slot_of(const api::Agent& agent) {
  task::AgentSlot slot;
  slot.name = agent.meta.name;
  slot.known = true;
  slot.uid = agent.meta.uid;
  slot.learn(agent);
  // Since when it has them is not known here: as if none of them were a trial of a half-open circuit.
  for (int i = 0; i < std::min(agent.status.active_tasks, slot.facts.capacity); ++i) {
    slot.active.insert(WallTime::min());
  }
  return slot;
}

// By Tasks of that type, else by all that it did, else what the operator assumes too.
std::pair<Duration, bool> expected_duration(const api::Agent& agent, const std::string& type) {
  for (const auto& one : agent.status.statistics) {
    if (one.type == type && one.mean_duration > Duration::zero()) return {one.mean_duration, true};
  }
  if (agent.status.average_duration > Duration::zero()) return {agent.status.average_duration, true};
  return {task::kUnknownDuration, false};
}

double cost_of(const api::Cost& cost, Duration duration) {
  return cost.per_task + cost.per_minute * std::chrono::duration<double, std::ratio<60>>(duration).count();
}

Candidate candidate(const task::AgentPool& pool, const task::AgentSlot& slot, const api::Agent& agent,
                    const api::Task& task) {
  Candidate result{agent.meta.name, task::format_score(task.spec.strategy, pool.score(slot))};
  std::tie(result.duration, result.is_measured) = expected_duration(agent, task.spec.type);
  result.cost = cost_of(agent.spec.cost, result.duration);
  return result;
}

}  // namespace

Qualification qualify(const api::Task& task, const std::vector<api::Agent>& agents) {
  Qualification result;
  result.problems = task::problems_of(task);
  auto requirement = task::requirement_of(task);
  task::RuleBook().add_rules(task, requirement);
  task::AgentPool pool(requirement);
  std::list<std::pair<task::AgentSlot, const api::Agent*>> slots;
  const auto rejecters =
      task.spec.agent_name.empty() ? task::rejecters(task.status) : std::vector<std::string>();
  bool pin_exists = task.spec.agent_name.empty();
  for (const auto& agent : agents) {
    if (agent.meta.namespace_ != task.meta.namespace_) continue;
    result.any_agents = true;
    slots.emplace_back(slot_of(agent), &agent);
    const auto& slot = slots.back().first;
    pin_exists = pin_exists || agent.meta.name == task.spec.agent_name;
    if (!task.spec.agent_name.empty() && agent.meta.name != task.spec.agent_name) {
      result.objections.push_back(
          {agent.meta.name, "is not the agent that the task names, " + task.spec.agent_name});
      continue;
    }
    pool.place(slot);
    std::string reason = slot.facts.objection(requirement);
    if (reason.empty()) reason = pool.refusal(slot);
    const bool rejected = std::binary_search(rejecters.begin(), rejecters.end(), agent.meta.name);
    if (reason.empty() && rejected) reason = "rejected this task";
    const bool busy = reason.empty() && !slot.has_room();
    if (busy) reason = slot.fullness();
    if (!reason.empty()) result.objections.push_back({agent.meta.name, reason, busy});
    if (rejected) pool.take_out(slot);
  }
  if (!pin_exists)
    result.objections.push_back({task.spec.agent_name, "does not exist, and the task names it"});
  for (const auto& [score, slot] : pool.free()) {
    for (const auto& [own, agent] : slots) {
      if (&own == slot) result.candidates.push_back(candidate(pool, own, *agent, task));
    }
  }
  return result;
}

}  // namespace convoke::plugin
