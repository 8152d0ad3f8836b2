#include "reconcilers/task/agent_slot.h"

#include <algorithm>

#include "reconcilers/api/spec_problems.h"

namespace convoke::task {
namespace {

constexpr char kAnyCapability[] = "*";
constexpr int kExactScore = 10;
constexpr int kWildcardScore = 1;

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
  return cordoned || phase == api::AgentPhase::Draining ? "is cordoned" : "";
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
  return selected ? "" : "does not match selector " + requirement.selector.describe();
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

}  // namespace convoke::task
