// One agent as the scheduler sees it: what it can do and how much room it has. A plain value under the
// scheduler's lock.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/kube/object.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/rate_gate.h"
#include "reconcilers/task/rule_view.h"

namespace convoke::task {

// What the Agent object says, as far as matching goes.
struct AgentFacts {
  std::vector<std::string> capabilities;  // sorted, without "*"
  bool any_capability = false;            // has "*"
  std::map<std::string, std::string> labels;
  int capacity = 0;
  api::AgentPhase phase = api::AgentPhase::Pending;
  bool cordoned = false;
  api::CircuitState circuit = api::CircuitState::Closed;
  std::string circuit_open_until;  // Open
  // HalfOpen: how many Tasks it may have at once of those that were assigned since then.
  struct Trial {
    int tasks = 0;
    WallTime since;
    bool operator==(const Trial&) const = default;
  };
  std::optional<Trial> trial;
  std::optional<api::RateLimit> rate_limit;
  bool invalid = false;
  bool being_deleted = false;

  static AgentFacts of(const api::Agent& agent);
  bool operator==(const AgentFacts&) const = default;

  // Why the agent cannot take such a Task even when it has room, for people; empty if it can.
  std::string objection(const Requirement& requirement) const;
  // The CapabilityMatch score without the load: 10 for each exact capability, 1 for one that "*" covers. None
  // if the agent cannot take such a Task.
  std::optional<int> match(const Requirement& requirement) const;

 private:
  bool has_exactly(const std::string& capability) const;
  // What keeps the agent from taking any Task.
  std::string unavailability() const;
};

// What some strategies score by.
struct AgentRecord {
  api::Cost cost;
  std::vector<api::TaskTypeStatistics> statistics;
  bool operator==(const AgentRecord&) const = default;

  // Null: none of that type.
  const api::TaskTypeStatistics* of_type(const std::string& type) const;
};

// What an agent's news concern.
enum class AgentNews {
  None,
  Record,  // how good it is at most
  Facts,   // whether it can take a Task at all
};

struct AgentSlot {
  std::string name;
  // False: the agent is not (or no longer) there, but Tasks are still assigned to it.
  bool known = false;
  std::string uid;
  std::uint64_t resource_version = 0;
  AgentFacts facts;
  AgentRecord record;

  std::multiset<WallTime> active;      // when each Task that is Assigned or Running there was assigned
  std::set<kube::ObjectKey> reserved;  // Tasks that are about to be assigned to it

  RateGate rate;
  bool throttled = false;  // the next token is still to come
  MonotonicTime wakes_at;  // while throttled

  int load() const { return static_cast<int>(active.size() + reserved.size()); }
  bool has_room() const { return !throttled && load() < facts.capacity && !tries_enough(); }
  // Why it has no room, for people; it does not change from second to second, since it is written to Tasks.
  std::string fullness() const;
  double load_factor() const { return static_cast<double>(load()) / facts.capacity; }

  // Whether it can take such a Task when it has room.
  bool fits(const Requirement& requirement) const;
  // Takes what the Agent object says. Rules name nothing else of it than `paths`.
  AgentNews learn(const api::Agent& agent, const AgentPaths& paths = {});
  // The agent as rules see it: made when a rule asks first.
  const Json& view() const;

 private:
  // Of its load, what was given to it since its circuit is half open.
  int trials() const;
  bool tries_enough() const { return facts.trial && trials() >= facts.trial->tasks; }

  std::shared_ptr<const api::Agent> object_;
  mutable std::shared_ptr<const Json> view_;
};

}  // namespace convoke::task
