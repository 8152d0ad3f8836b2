// Waiting Tasks that are all the same to an agent: one pool (namespace and requirement) and one Offer (pin,
// exclusions). They wait as class_queue.h says; whoever is first is served first.
//
// Used under the scheduler's lock.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconcilers/task/agent_pool.h"
#include "reconcilers/task/class_queue.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/task_entry.h"

namespace convoke::task {

struct Pool;

// Why a waiting Task has no agent.
enum class Verdict {
  NoAgents,         // there are none in its namespace
  NoEligibleAgent,  // nobody could take it even with free capacity
  OnlyRejecters,    // all that could have rejected it; they are asked again after a while
  AgentsBusy,       // it waits for capacity
};

struct DemandClass {
  DemandClass(Pool& its_pool, Offer its_offer) : pool(its_pool), offer(std::move(its_offer)) {}

  struct ByHead {
    bool operator()(const DemandClass* a, const DemandClass* b) const;
  };
  using Ready = std::set<DemandClass*, ByHead>;

  // The agent that would get the next Task; null if none has room. O(log agents + exclusions).
  const AgentSlot* best_agent() const;
  // The agent that gets the next Task: the same, or with the strategy Random any that could.
  const AgentSlot* choose(Random& random) const;
  // How many agents it is chosen from.
  int candidates() const;
  Verdict verdict() const;
  // Who does not get a Task of this class now, and why; those that are merely full come first. At most
  // kMaxRejected.
  std::vector<api::RejectedAgent> rejected() const;
  // The same without its numbers: "a is full", but not with how many Tasks.
  std::string kinds_of_rejection() const;

  Pool& pool;
  const Offer offer;
  ClassQueue waiting;
  // Its place among the classes that could be served now. It leaves that set before its first Task changes.
  std::optional<Ready::iterator> ready;
  int members = 0;                    // Tasks that refer to this class: waiting, held or matched
  std::set<TaskEntry*> lockers = {};  // those among them that want locks
  // There are agents for its Tasks, if only busy ones. Those of a hopeless class stand in no lock's queue, so
  // that they keep nobody from the lock.
  bool hopeful = false;
  Verdict announced = Verdict::NoAgents;
  std::string announced_kinds;

 private:
  // Why this agent does not get a Task of this class; empty if it could.
  std::string objection(const AgentSlot& slot) const;
  void add_rejected(const AgentSlot& slot, std::vector<api::RejectedAgent>& list) const;
  void add_rejected_by_name(std::vector<api::RejectedAgent>& list) const;
  bool is_excluded(const AgentSlot& slot) const;
  std::vector<const AgentSlot*> excluded_agents() const;
  const AgentSlot* pinned_agent() const;
  // Eligible agents that did not reject the Task.
  std::size_t eligible_others() const;
};

}  // namespace convoke::task
