// An attempt that says how well an agent works: it succeeded, or it failed, timed out or was lost with the
// agent. What was rejected, cancelled, delegated, moved away, suspended or cut off by a lost lock says
// nothing about the agent and is no EndedAttempt.
//
// Thread safety: pure functions and values. Errors: none; a time that cannot be read counts as the epoch, and
// then as no duration.
#pragma once

#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "reconcilers/api/task.h"

namespace convoke::agent {

struct EndedAttempt {
  std::string id;    // of its assignment
  std::string type;  // of the Task
  bool succeeded = false;
  WallTime finished_at;
  Duration took{};  // from its start, or else its assignment

  static std::optional<EndedAttempt> of(const api::Task& task, const api::AttemptRecord& attempt);
  // The order in which attempts are counted.
  bool operator<(const EndedAttempt& other) const;
};

}  // namespace convoke::agent
