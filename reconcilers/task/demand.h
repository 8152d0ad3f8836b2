// What one Task wants of the scheduler now: an agent (and which), nothing, or to be counted where it is.
//
// Thread safety: pure functions and values. Errors: none; a time that cannot be read, or that a wrong clock
// wrote into the far future, counts as now.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

class RuleCheck;

// Tasks with equal requirements and namespace are matched with the same pool of agents.
struct Requirement {
  std::vector<std::string> capabilities;  // sorted, without duplicates
  api::LabelSelector selector = {};
  api::Strategy strategy = api::Strategy::CapabilityMatch;
  std::string task_type = {};                   // only where the strategy counts by type
  std::shared_ptr<const RuleCheck> rules = {};  // added by RuleBook; null: none applies
  std::uint64_t rules_revision = 0;             // of the configuration's rules

  // Equal for equal requirements only.
  std::string key() const;
};

// Which agents of the pool may be offered the Task.
struct Offer {
  std::string pinned;                 // empty: any
  std::vector<std::string> excluded;  // sorted: the agents that rejected the Task
  bool reoffer = false;               // the excluded may be asked again, if nobody else is eligible
  auto operator<=>(const Offer&) const = default;
};

struct Demand {
  enum class Kind { None, Waiting, Active };
  Kind kind = Kind::None;
  Requirement requirement;                   // Waiting
  Offer offer;                               // Waiting
  std::string agent_name;                    // Active: where
  WallTime assigned_at = {};                 // Active: since when
  int priority = 0;                          // Waiting: the effective one (aging.h)
  std::vector<api::LockRequest> locks = {};  // Waiting: in the order in which they are taken
};

Requirement requirement_of(const api::Task& task);
Demand demand_of(const api::Task& task, WallTime now);

// What is wrong with its spec; such a Task waits for a person. Empty if nothing is.
std::vector<std::string> problems_of(const api::Task& task);

// Until spec.notBefore; zero when it is past, or not set.
Duration until_start(const api::Task& task, WallTime now);
// Until a failed Task may be tried again; zero when it is due.
Duration until_retry(const api::Task& task, WallTime now);
// Until the agents that rejected the Task may be asked again; zero when that is due.
Duration until_reoffer(const api::Task& task, WallTime now);
// The agents that rejected the Task or did not begin it, of its last attempts, sorted.
std::vector<std::string> rejecters(const api::TaskStatus& status);
// How many of the last attempts, without a break, were rejections.
int rejections_in_a_row(const api::TaskStatus& status);
// Before the same agent is asked again after `rejections` in a row.
Duration rejection_delay(int rejections);

// What has passed since a time that the API holds: never negative, zero for a text that is no time.
Duration since(const std::string& time, WallTime now);

}  // namespace convoke::task
