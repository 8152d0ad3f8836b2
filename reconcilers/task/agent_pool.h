// The agents of one namespace that can take Tasks with one Requirement, in the order of its strategy.
//
// An eligible agent is either free (by score, best first, then by name) or full. A change of one agent moves
// one entry: O(log agents). Agents that are not eligible cost nothing here, but for the reason of those that
// a rule refuses. Many demand classes (pins, exclusions) share one pool.
//
// RoundRobin: whoever was served longest ago is next; an agent that is new here is next at once. The turns
// are not kept over a restart, or when nobody waited with that requirement for long.
// Random: all that are free are equal; draw() takes any of them in O(exclusions).
//
// Used under the scheduler's lock. Slots are referred to, not owned: they outlive their place in the pool.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controller/base/random.h"
#include "reconcilers/task/agent_slot.h"

namespace convoke::task {

class AgentPool {
 public:
  explicit AgentPool(Requirement requirement);

  struct BestFirst {
    using Ranked = std::pair<double, const AgentSlot*>;  // score
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
  // It gets a Task of this pool. To be told before its load changes.
  void served(const AgentSlot& slot);
  void take_out(const AgentSlot& slot);

  const Requirement& requirement() const { return requirement_; }
  const Free& free() const { return free_; }
  const Named& full() const { return full_; }
  std::size_t eligible() const { return places_.size(); }
  bool is_eligible(const AgentSlot& slot) const;
  // Why a rule refuses the agent; empty if none does.
  std::string refusal(const AgentSlot& slot) const;
  // For people, and only for an agent that is free: the score that it is ranked by; with CostOptimized what
  // it costs; with RoundRobin how many Tasks of this pool others got since its turn.
  double score(const AgentSlot& slot) const;
  // Any agent that is free and not excluded, each with the same probability; null if there is none. Only
  // with the strategy Random. Excluded agents that are not free here are ignored.
  const AgentSlot* draw(Random& random, const std::vector<const AgentSlot*>& excluded) const;

 private:
  struct Place {
    int match = 0;
    bool free = false;
    double rank = 0;           // while free: what it is sorted by, the highest first
    std::size_t drawn_at = 0;  // while free, with Random: where it is in drawable_
    Duration mean{};           // of its Tasks of that type, with PerformanceBased; zero: unknown
  };
  double rank_of(const AgentSlot& slot, const Place& place) const;
  void enter(const AgentSlot& slot, Place& place);
  void leave(const AgentSlot& slot, const Place& place);
  void drop(const AgentSlot& slot);
  void review_reference();
  std::uint64_t turn_of(const AgentSlot& slot) const;

  Requirement requirement_;
  Free free_;
  Named full_;
  std::unordered_map<const AgentSlot*, Place> places_;
  std::unordered_map<const AgentSlot*, std::string> refused_;
  std::vector<const AgentSlot*> drawable_;                       // Random: those that are free
  std::uint64_t turns_ = 0;                                      // RoundRobin: Tasks that were given out
  std::unordered_map<const AgentSlot*, std::uint64_t> turn_of_;  // the last that the agent got
  std::multiset<Duration> means_;                                // PerformanceBased: those that are known
  Duration reference_;                                           // see strategy.h
};

}  // namespace convoke::task
