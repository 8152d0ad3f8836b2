#include "reconcilers/task/demand_class.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "reconcilers/task/match_board.h"

namespace convoke::task {

bool Urgency::before(const Urgency& other) const {
  return std::tie(other.priority, created, uid) < std::tie(priority, other.created, other.uid);
}

bool MostUrgentFirst::operator()(const TaskEntry* a, const TaskEntry* b) const {
  return a->urgency == b->urgency ? a->key < b->key : a->urgency.before(b->urgency);
}

bool DemandClass::ByHead::operator()(const DemandClass* a, const DemandClass* b) const {
  return a->waiting.before(b->waiting);
}

bool DemandClass::is_excluded(const AgentSlot& slot) const {
  return std::binary_search(offer.excluded.begin(), offer.excluded.end(), slot.name);
}

const AgentSlot* DemandClass::pinned_agent() const {
  const auto found = pool.home.agents.find(offer.pinned);
  const bool eligible = found != pool.home.agents.end() && pool.agents.is_eligible(found->second);
  return eligible ? &found->second : nullptr;
}

std::size_t DemandClass::eligible_others() const {
  std::size_t others = pool.agents.eligible();
  for (const std::string& name : offer.excluded) {
    const auto found = pool.home.agents.find(name);
    if (found != pool.home.agents.end() && pool.agents.is_eligible(found->second)) {
      --others;
    }
  }
  return others;
}

const AgentSlot* DemandClass::best_agent() const {
  if (!offer.pinned.empty()) {
    const AgentSlot* pinned = pinned_agent();
    return pinned != nullptr && pinned->has_room() ? pinned : nullptr;
  }
  const auto& free = pool.agents.free();
  const auto best = std::find_if(free.begin(), free.end(),
                                 [this](const auto& ranked) { return !is_excluded(*ranked.second); });
  if (best != free.end()) {
    return best->second;
  }
  const bool ask_again = offer.reoffer && !free.empty() && eligible_others() == 0;
  return ask_again ? free.begin()->second : nullptr;
}

const AgentSlot* DemandClass::choose(Random& random) const {
  if (pool.agents.requirement().strategy != api::Strategy::Random || !offer.pinned.empty()) {
    return best_agent();
  }
  const AgentSlot* drawn = pool.agents.draw(random, excluded_agents());
  const bool ask_again = drawn == nullptr && best_agent() != nullptr;
  return ask_again ? pool.agents.draw(random, {}) : drawn;
}

std::vector<const AgentSlot*> DemandClass::excluded_agents() const {
  std::vector<const AgentSlot*> agents;
  for (const std::string& name : offer.excluded) {
    const auto found = pool.home.agents.find(name);
    if (found != pool.home.agents.end()) {
      agents.push_back(&found->second);
    }
  }
  return agents;
}

int DemandClass::candidates() const {
  if (!offer.pinned.empty()) {
    return 1;
  }
  std::size_t count = pool.agents.free().size();
  if (eligible_others() > 0) {
    for (const std::string& name : offer.excluded) {
      const auto found = pool.home.agents.find(name);
      if (found != pool.home.agents.end() && pool.agents.is_eligible(found->second) &&
          found->second.has_room()) {
        --count;
      }
    }
  }
  return static_cast<int>(count);
}

Verdict DemandClass::verdict() const {
  if (pool.home.known_agents == 0) {
    return Verdict::NoAgents;
  }
  if (!offer.pinned.empty()) {
    return pinned_agent() != nullptr ? Verdict::AgentsBusy : Verdict::NoEligibleAgent;
  }
  if (eligible_others() > 0) {
    return Verdict::AgentsBusy;
  }
  if (pool.agents.eligible() == 0) {
    return Verdict::NoEligibleAgent;
  }
  return offer.reoffer ? Verdict::AgentsBusy : Verdict::OnlyRejecters;
}

std::string DemandClass::objection(const AgentSlot& slot) const {
  if (!offer.pinned.empty() && slot.name != offer.pinned) {
    return "not the pinned agent";
  }
  std::string reason = slot.facts.objection(pool.agents.requirement());
  if (reason.empty()) {
    reason = pool.agents.refusal(slot);
  }
  if (!reason.empty()) {
    return reason;
  }
  if (is_excluded(slot)) {
    return "rejected this task";
  }
  if (!slot.has_room()) {
    return slot.fullness();
  }
  return "";
}

std::vector<api::RejectedAgent> DemandClass::rejected() const {
  std::vector<api::RejectedAgent> list;
  if (!offer.pinned.empty()) {
    const auto pinned = pool.home.agents.find(offer.pinned);
    if (pinned == pool.home.agents.end() || !pinned->second.known) {
      list.push_back({offer.pinned, "does not exist"});
    } else {
      add_rejected(pinned->second, list);
    }
    add_rejected_by_name(list);
    return list;
  }
  for (auto full = pool.agents.full().begin(); full != pool.agents.full().end() && list.size() < kMaxRejected;
       ++full) {
    add_rejected(**full, list);
  }
  for (const std::string& name : offer.excluded) {
    const auto slot = pool.home.agents.find(name);
    if (slot != pool.home.agents.end() && pool.agents.is_eligible(slot->second) && slot->second.has_room()) {
      add_rejected(slot->second, list);
    }
  }
  add_rejected_by_name(list);
  return list;
}

std::string DemandClass::kinds_of_rejection() const {
  std::string kinds;
  for (const api::RejectedAgent& agent : rejected()) {
    kinds += agent.agent_name + " ";
    std::copy_if(agent.reason.begin(), agent.reason.end(), std::back_inserter(kinds),
                 [](char c) { return c < '0' || c > '9'; });
    kinds += "\n";
  }
  return kinds;
}

// The rest: where nobody is free, the full and the excluded are few, so enough others are found soon.
void DemandClass::add_rejected_by_name(std::vector<api::RejectedAgent>& list) const {
  constexpr int kMaxLookedAt = 64;
  int looked_at = 0;
  const auto& agents = pool.home.agents;
  for (auto slot = agents.begin();
       slot != agents.end() && list.size() < kMaxRejected && looked_at < kMaxLookedAt; ++slot, ++looked_at) {
    const bool listed =
        offer.pinned.empty() ? pool.agents.is_eligible(slot->second) : slot->first == offer.pinned;
    if (slot->second.known && !listed) {
      add_rejected(slot->second, list);
    }
  }
}

void DemandClass::add_rejected(const AgentSlot& slot, std::vector<api::RejectedAgent>& list) const {
  std::string reason = objection(slot);
  if (!reason.empty() && list.size() < kMaxRejected) {
    list.push_back({slot.name, std::move(reason)});
  }
}

}  // namespace convoke::task
