// One agent as the scheduler sees it: what it can do and how much room it has. A plain value under the
// scheduler's lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/kube/object.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/task/demand.h"

namespace convoke::task {

// What the Agent object says, as far as matching goes.
struct AgentFacts {
  std::vector<std::string> capabilities;  // sorted, without "*"
  bool any_capability = false;            // has "*"
  std::map<std::string, std::string> labels;
  int capacity = 0;
  api::AgentPhase phase = api::AgentPhase::Pending;
  bool cordoned = false;
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

struct AgentSlot {
  std::string name;
  // False: the agent is not (or no longer) there, but Tasks are still assigned to it.
  bool known = false;
  std::string uid;
  std::uint64_t resource_version = 0;
  AgentFacts facts;

  int active = 0;                      // Tasks that are Assigned or Running there
  std::set<kube::ObjectKey> reserved;  // Tasks that are about to be assigned to it

  int load() const { return active + static_cast<int>(reserved.size()); }
  bool has_room() const { return load() < facts.capacity; }
};

}  // namespace convoke::task
