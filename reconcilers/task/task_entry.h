// A Task as the scheduler holds it: while it waits, while an agent is held for it, and while it counts as its
// agent's load. A plain value under the scheduler's lock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/object.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

struct AgentSlot;
struct DemandClass;

inline constexpr std::size_t kMaxRejected = 10;

// An agent held for a Task until the assignment is written.
struct Reservation {
  std::string agent_name;
  double score = 0;                          // see AgentPool::score()
  int candidates = 0;                        // agents that it was chosen from
  std::vector<api::RejectedAgent> rejected;  // who was not among them, and why: at most kMaxRejected
  api::Strategy strategy = api::Strategy::CapabilityMatch;
  bool holds_token = false;  // of the agent's rate limit, to be put back if it comes to nothing
};

// Priority first, then age, then uid. The workflow only says whose turn counts (workflow_turns.h).
struct Urgency {
  int priority = 0;  // the effective one (aging.h)
  std::string created;
  std::string uid;
  std::string workflow;

  bool before(const Urgency& other) const;
  bool operator==(const Urgency&) const = default;
};

struct TaskEntry {
  enum class State {
    New,
    Waiting,   // in its class' queue
    Blocked,   // not its turn at one of its locks: not offered until it is
    Held,      // waiting, but not offered until somebody looked at the Task again (its assignment failed)
    Reserved,  // matched
    Active,    // assigned: only counted
  };
  kube::ObjectKey key;
  std::uint64_t resource_version = 0;
  Urgency urgency;
  State state = State::New;
  DemandClass* demand_class = nullptr;  // Waiting, Blocked, Held, Reserved
  AgentSlot* agent = nullptr;           // Reserved, Active
  Reservation reservation;              // Reserved
  MonotonicTime waiting_since;
  WallTime assigned_at;  // Active

  // Of lock_table.h.
  enum class LockState { None, Queued, Reserved };
  std::vector<api::LockRequest> locks;  // as in_order() says; constant while lock_state is not None
  LockState lock_state = LockState::None;
  int blocked_at = 0;  // how many of its locks it is not its turn at
};

struct MostUrgentFirst {
  bool operator()(const TaskEntry* a, const TaskEntry* b) const;
};

}  // namespace convoke::task
