#include "reconcilers/task/agent_slot.h"

#include <algorithm>
#include <iterator>

#include "controller/base/time_format.h"
#include "reconcilers/api/spec_problems.h"
#include "reconcilers/task/rule_book.h"

namespace convoke::task {
namespace {

constexpr char kAnyCapability[] = "*";
constexpr int kExactScore = 10;
constexpr int kWildcardScore = 1;
// A selector may be many kilobytes long, and a reason stands in the status of each Task, ten times.
constexpr std::size_t kMaxSelectorBytes = 300;

}  // namespace

AgentFacts AgentFacts::of(const api::Agent& agent) {
  AgentFacts facts;
  facts.capabilities = agent.spec.capabilities;
  std::sort(facts.capabilities.begin(), facts.capabilities.end());
  facts.any_capability = std::erase(facts.capabilities, kAnyCapability) > 0;
  facts.labels = agent.meta.labels;
  facts.capacity = agent.spec.capacity;
  facts.phase = agent.status.phase;
  facts.cordoned = agent.spec.cordoned;
  facts.rate_limit = agent.spec.rate_limit;
  facts.circuit = agent.status.circuit;
  if (facts.circuit == api::CircuitState::HalfOpen) {
    facts.trial = {agent.spec.circuit_breaker.half_open_tasks,
                   parse_time(agent.status.circuit_changed_at).value_or(WallTime::min())};
  } else if (facts.circuit == api::CircuitState::Open) {
    const auto opened = parse_time(agent.status.circuit_changed_at);
    facts.circuit_open_until = opened ? format_time(*opened + agent.spec.circuit_breaker.open_for) : "";
  }
  facts.invalid = !api::spec_problems(agent.malformed).empty();
  facts.being_deleted = agent.meta.being_deleted();
  return facts;
}

bool AgentFacts::has_exactly(const std::string& capability) const {
  return std::binary_search(capabilities.begin(), capabilities.end(), capability);
}

std::string AgentFacts::unavailability() const {
  if (being_deleted) {
    return "is being deleted";
  }
  if (invalid) {
    return "has an invalid spec";
  }
  if (phase == api::AgentPhase::Pending) {
    return "was never seen";
  }
  if (phase == api::AgentPhase::Offline) {
    return "is Offline";
  }
  if (cordoned || phase == api::AgentPhase::Draining) {
    return "is cordoned";
  }
  if (circuit != api::CircuitState::Open) {
    return "";
  }
  return circuit_open_until.empty() ? "its circuit is open"
                                    : "its circuit is open until " + circuit_open_until;
}

std::string AgentFacts::objection(const Requirement& requirement) const {
  std::string reason = unavailability();
  if (!reason.empty()) {
    return reason;
  }
  if (!any_capability) {
    const auto missing = std::find_if(requirement.capabilities.begin(), requirement.capabilities.end(),
                                      [this](const auto& wanted) { return !has_exactly(wanted); });
    if (missing != requirement.capabilities.end()) {
      return "lacks capability " + *missing;
    }
  }
  const bool selected = requirement.selector.empty() || requirement.selector.matches(labels);
  return selected
             ? ""
             : "does not match selector " + api::cut_text(requirement.selector.describe(), kMaxSelectorBytes);
}

std::optional<int> AgentFacts::match(const Requirement& requirement) const {
  if (!objection(requirement).empty()) {
    return {};
  }
  int score = 0;
  for (const std::string& wanted : requirement.capabilities) {
    score += has_exactly(wanted) ? kExactScore : kWildcardScore;
  }
  return score;
}

const api::TaskTypeStatistics* AgentRecord::of_type(const std::string& type) const {
  const auto found = std::find_if(statistics.begin(), statistics.end(),
                                  [&](const api::TaskTypeStatistics& one) { return one.type == type; });
  return found == statistics.end() ? nullptr : &*found;
}

bool AgentSlot::fits(const Requirement& requirement) const {
  return facts.match(requirement).has_value() &&
         (requirement.rules == nullptr || requirement.rules->objection(view()).empty());
}

AgentNews AgentSlot::learn(const api::Agent& agent, const AgentPaths& paths) {
  AgentFacts new_facts = AgentFacts::of(agent);
  AgentRecord new_record{agent.spec.cost, agent.status.statistics};
  const bool can_change = facts != new_facts || (object_ != nullptr && !looks_alike(*object_, agent, paths));
  const bool record_changed = record != new_record;
  facts = std::move(new_facts);
  record = std::move(new_record);
  object_ = std::make_shared<const api::Agent>(agent);
  view_ = nullptr;
  if (can_change) {
    return AgentNews::Facts;
  }
  return record_changed ? AgentNews::Record : AgentNews::None;
}

const Json& AgentSlot::view() const {
  if (view_ == nullptr) {
    view_ = std::make_shared<const Json>(object_ != nullptr ? agent_view(*object_) : Json::object());
  }
  return *view_;
}

int AgentSlot::trials() const {
  const auto since = active.lower_bound(facts.trial->since);
  return static_cast<int>(std::distance(since, active.end())) + static_cast<int>(reserved.size());
}

std::string AgentSlot::fullness() const {
  const auto used = [](int count, int limit) {
    return "(" + std::to_string(count) + " of " + std::to_string(limit) + ")";
  };
  if (load() < facts.capacity && tries_enough()) {
    return "its circuit is half open " + used(trials(), facts.trial->tasks);
  }
  if (load() < facts.capacity && throttled && facts.rate_limit) {
    const auto a_minute = static_cast<int>(facts.rate_limit->tasks_per_minute);
    return "is at its rate limit (" + std::to_string(a_minute) + " a minute)";
  }
  return "is full " + used(load(), facts.capacity);
}

}  // namespace convoke::task
