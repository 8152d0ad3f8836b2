// The agents of one namespace that can take Tasks with one Requirement, in order.
//
// An eligible agent is either free (by score, best first, then by name) or full. A change of one agent moves
// one entry: O(log agents). Agents that are not eligible cost nothing here. Many demand classes (pins,
// exclusions) share one pool.
//
// Used under the scheduler's lock. Slots are referred to, not owned: they outlive their place in the pool.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "reconcilers/task/agent_slot.h"

namespace convoke::task {

class AgentPool {
 public:
  explicit AgentPool(Requirement requirement);

  struct BestFirst {
    using Ranked = std::pair<int, const AgentSlot*>;  // score
    bool operator()(const Ranked& a, const Ranked& b) const {
      return a.first != b.first ? a.first > b.first : a.second->name < b.second->name;
    }
  };
  struct ByName {
    bool operator()(const AgentSlot* a, const AgentSlot* b) const { return a->name < b->name; }
  };
  using Free = std::set<BestFirst::Ranked, BestFirst>;
  using Named = std::set<const AgentSlot*, ByName>;

  // The agent is new, or anything of it changed.
  void place(const AgentSlot& slot);
  // Only its load changed. True if it began or ceased to have room.
  bool load_changed(const AgentSlot& slot);
  void take_out(const AgentSlot& slot);

  const Requirement& requirement() const { return requirement_; }
  const Free& free() const { return free_; }
  const Named& full() const { return full_; }
  std::size_t eligible() const { return free_.size() + full_.size(); }
  bool is_eligible(const AgentSlot& slot) const;
  // Only for an agent that is free.
  int score(const AgentSlot& slot) const;

 private:
  struct Place {
    int match = 0;
    bool free = false;
    int score = 0;  // the one that it is ranked with, while free
  };
  void insert(const AgentSlot& slot, int match);
  void erase(const AgentSlot& slot, const Place& place);

  Requirement requirement_;
  Free free_;
  Named full_;
  std::unordered_map<const AgentSlot*, Place> places_;
};

}  // namespace convoke::task
