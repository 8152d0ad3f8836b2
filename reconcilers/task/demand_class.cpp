#include "reconcilers/task/demand_class.h"

#include <algorithm>
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
  return MostUrgentFirst()(*a->waiting.begin(), *b->waiting.begin());
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
  if (!reason.empty()) {
    return reason;
  }
  if (is_excluded(slot)) {
    return "rejected this task";
  }
  if (!slot.has_room()) {
    return "is full (" + std::to_string(slot.load()) + " of " + std::to_string(slot.facts.capacity) + ")";
  }
  return "";
}

std::vector<api::RejectedAgent> DemandClass::rejected() const {
  std::vector<api::RejectedAgent> list;
  const auto add = [&](const std::string& name, std::string reason) {
    if (!reason.empty() && list.size() < kMaxRejected) {
      list.push_back({name, std::move(reason)});
    }
  };
  const auto add_all = [&](const AgentPool::Named& slots) {
    for (auto slot = slots.begin(); slot != slots.end() && list.size() < kMaxRejected; ++slot) {
      if ((*slot)->name != offer.pinned) {
        add((*slot)->name, objection(**slot));
      }
    }
  };
  if (!offer.pinned.empty()) {
    const auto pinned = pool.home.agents.find(offer.pinned);
    const bool exists = pinned != pool.home.agents.end() && pinned->second.known;
    add(offer.pinned, exists ? objection(pinned->second) : "does not exist");
  }
  add_all(pool.agents.full());
  for (const std::string& name : offer.excluded) {
    const auto slot = pool.home.agents.find(name);
    if (slot != pool.home.agents.end() && pool.agents.is_eligible(slot->second) && slot->second.has_room()) {
      add(name, objection(slot->second));
    }
  }
  add_all(pool.agents.unfit());
  return list;
}

}  // namespace convoke::task
