// What waits, who is there, and who gets whom: the algorithm of the scheduler, without locks, clocks or
// callbacks.
//
//   Task -> DemandClass (its place by priority, workflow's turn and age) -> AgentPool (its agents by score
//   and name)
//
// A global ordered set of the classes that could be served now, by their most urgent Task, says what is next;
// the pool says who gets it. Neither the queue nor the agents are scanned:
//
//   - a Task comes, changes or goes: O(log Tasks). The first Task with a new requirement also builds its
//   pool:
//     O(agents of the namespace). Pools that nobody waits in are kept for a while.
//   - a decision: O(log classes + log Tasks), and O(log agents) for each pool of the namespace that the agent
//     is in, because its load changed. There are as many pools as different requirements in use.
//   - an agent changes in what requirements or the namespace's rules name: O(log agents) for each pool, and
//     the rules of the pool for that agent; the classes of the pools are looked at again.
//   - the configuration's rules change: what waits under the former ones gets no agent until its Task is
//     looked at again. Whoever changes them sees to that.
//   - a Task that wants locks stands in its class only while it is its turn at all of them (lock_table.h).
//   - why somebody was not chosen: at most kMaxRejected reasons, made when asked for.
//
// Thread safety: none; Scheduler holds the lock. Errors: none; what is unknown is ignored.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "reconcilers/task/demand_class.h"
#include "reconcilers/task/lock_table.h"
#include "reconcilers/task/recent_assignments.h"
#include "reconcilers/task/task_entry.h"
#include "reconcilers/task/workflow_turns.h"

namespace convoke::task {

struct Explanation {
  Verdict verdict = Verdict::NoAgents;
  std::vector<api::RejectedAgent> rejected;  // at most kMaxRejected; those that are merely full come first
};

struct Namespace;

struct Pool {
  Pool(Namespace& its_home, Requirement requirement) : home(its_home), agents(std::move(requirement)) {}

  Namespace& home;
  AgentPool agents;
  std::string key;  // in home.pools
  std::map<Offer, DemandClass> classes;
  std::optional<std::list<Pool*>::iterator> idle;
};

struct Namespace {
  std::string name;
  std::map<std::string, AgentSlot> agents;
  std::map<std::string, Pool> pools;  // by Requirement::key()
  std::list<Pool*> idle;              // pools without classes, the oldest first
  AgentPaths rule_paths;              // what the rules of its pools name
  std::size_t known_agents = 0;
  WorkflowTurns turns;
};

class MatchBoard {
 public:
  struct Match {
    kube::ObjectKey key;
    Duration waited;
  };

  void upsert_task(const api::Task& task, const Demand& demand, MonotonicTime now);
  void remove_task(const kube::ObjectKey& key, const std::string& uid);
  void upsert_agent(const api::Agent& agent, MonotonicTime now);
  // Agents that were given Tasks before this process kept count of it.
  void replay(const std::vector<RecentAssignment>& recent, MonotonicTime now);
  void remove_agent(const kube::ObjectKey& key, const std::string& uid);
  // From now on, only Tasks that were required under these rules get agents.
  void set_rules_revision(std::uint64_t revision);

  // What the Lease of a lock says: `lock` is the namespace and the lock's name.
  void set_lock(const kube::ObjectKey& lock, const LockRecord& record);

  // Serves all that can be served, the most urgent first.
  std::vector<Match> match_all(MonotonicTime now, Random& random);
  // When the next agent may get a Task that its rate limit keeps from it now: match_all() is due then.
  std::optional<MonotonicTime> next_wake() const;
  // Waiting Tasks whose class' verdict changed since it was announced last: at most kMaxAnnounced of each
  // class.
  std::vector<kube::ObjectKey> take_flips();
  // Whether the reasons why somebody waits may have become others. The next two look at every class of the
  // namespaces where an agent changed, so they are for now and then.
  bool has_news() const { return !news_.empty() && waiting_ > 0; }
  // Waiting Tasks whose reasons are of another kind than when this was asked last: as many as of flips.
  std::vector<kube::ObjectKey> take_news();
  void forget_news() { news_.clear(); }

  const TaskEntry* find(const kube::ObjectKey& key, const std::string& uid) const;
  void release(const kube::ObjectKey& key, const std::string& uid);
  bool has_room_elsewhere(const api::Task& task, const Demand& demand) const;
  Explanation explain(const TaskEntry& entry) const;
  // Of an entry that is Blocked.
  api::LockWait lock_wait(const TaskEntry& entry) const { return locks_.explain(entry); }
  std::size_t waiting() const { return waiting_; }
  std::size_t waiting_for_locks() const { return blocked_; }

  // More would be a storm of status writes over one agent that comes or goes; the rest is told when it is
  // looked at.
  static constexpr std::size_t kMaxAnnounced = 100;

 private:
  TaskEntry& entry_of(const api::Task& task);
  void set_waiting(TaskEntry& entry, const Urgency& urgency, const Demand& demand, MonotonicTime now);
  void set_active(TaskEntry& entry, const Demand& demand);
  void forget(TaskEntry& entry);
  // Out of the queue, the reservation or the count that the entry stands in; it keeps its class.
  void unlink(TaskEntry& entry);
  void link_waiting(TaskEntry& entry);
  void enter_queue(TaskEntry& entry);
  void leave_queue(TaskEntry& entry);
  // Tasks whose turn came at all of their locks enter their class' queue, and others leave it.
  void settle_locks();
  // Its Tasks stand in the queues of their locks, or not.
  void review_hope(DemandClass& demand_class);
  void enter_class(TaskEntry& entry, DemandClass& demand_class);
  void leave_class(TaskEntry& entry);

  DemandClass& class_for(Namespace& home, const Demand& demand);
  void retire(DemandClass& demand_class);
  static void remove(Pool& pool);

  static void announce(const DemandClass& demand_class, std::vector<kube::ObjectKey>& keys);
  void reserve(TaskEntry& entry, AgentSlot& slot, MonotonicTime now);
  // The workflow of the entry had its turn.
  void turn_taken(const TaskEntry& entry);
  // The tokens that the slot has, or when they come, changed.
  void rate_changed(Namespace& home, AgentSlot& slot, MonotonicTime now);
  void token_returned(Namespace& home, AgentSlot& slot);
  void reopen(MonotonicTime now);
  // Reservations that no longer hold go back to their place.
  void review_reservations(AgentSlot& slot);
  void load_changed(Namespace& home, AgentSlot& slot);
  void fitness_changed(Namespace& home, AgentSlot& slot);
  // Only what it is scored by.
  static void record_changed(Namespace& home, const AgentSlot& slot);
  // Puts the class among those that can be served, or takes it out.
  void refresh(DemandClass& demand_class);
  void make_unready(DemandClass& demand_class);

  Namespace& home_of(const std::string& name);
  Namespace& home_of(const TaskEntry& entry);
  AgentSlot& slot_of(Namespace& home, const std::string& name);
  static AgentSlot* find_slot(Namespace& home, const std::string& name);
  // Forgets what nobody refers to any more; ends every public change.
  void tidy(const std::string& namespace_);

  LockTable locks_;
  std::map<kube::ObjectKey, TaskEntry> tasks_;
  std::map<std::string, Namespace> namespaces_;
  DemandClass::Ready ready_;
  std::set<std::string> changed_;      // namespaces where an agent's fitness changed since take_flips()
  std::set<std::string> news_;         // the same since take_news()
  std::vector<std::string> released_;  // agents that lost a Task in the change that is under way
  std::set<std::pair<MonotonicTime, kube::ObjectKey>> wakes_;  // the throttled agents
  std::size_t waiting_ = 0;                                    // Waiting, Blocked or Held
  std::size_t blocked_ = 0;                                    // Blocked
  std::uint64_t rules_revision_ = 0;
};

}  // namespace convoke::task
