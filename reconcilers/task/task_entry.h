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
  int score = 0;
  int candidates = 0;                        // agents that it was chosen from
  std::vector<api::RejectedAgent> rejected;  // who was not among them, and why: at most kMaxRejected
};

// Priority first, then age, then uid.
struct Urgency {
  int priority = 0;
  std::string created;
  std::string uid;

  bool before(const Urgency& other) const;
  bool operator==(const Urgency&) const = default;
};

struct TaskEntry {
  enum class State {
    New,
    Waiting,   // in its class' queue
    Held,      // waiting, but not offered until somebody looked at the Task again (its assignment failed)
    Reserved,  // matched
    Active,    // assigned: only counted
  };
  kube::ObjectKey key;
  std::uint64_t resource_version = 0;
  Urgency urgency;
  State state = State::New;
  DemandClass* demand_class = nullptr;  // Waiting, Held, Reserved
  AgentSlot* agent = nullptr;           // Reserved, Active
  Reservation reservation;              // Reserved
  MonotonicTime waiting_since;
};

struct MostUrgentFirst {
  bool operator()(const TaskEntry* a, const TaskEntry* b) const;
};

}  // namespace convoke::task
