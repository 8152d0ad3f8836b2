// Whether a Task that an agent was given, and has not begun, should go to another one:
//
//   AgentLost   the agent is Offline or gone
//   Cordoned    the agent is to finish what it has, and this has not begun
//   NotStarted  the agent did not begin within `rebalance_after`, and another one has room
//
// It goes back to the queue with the outcome Rebalanced: no attempt was made, so none is used up. Never for a
// Task that is pinned, and at most kMaxMoves times in a row; then it stays, or its attempt counts as lost.
//
// Thread safety: pure functions. Errors: none.
#pragma once

#include <optional>
#include <string>

#include "reconcilers/task/task_decide.h"

namespace convoke::task {

inline constexpr int kMaxMoves = 3;

struct Move {
  std::string reason;  // of the attempt that ends
  std::string message;
};

// None: it stays where it is.
std::optional<Move> move_away(const TaskSnapshot& snapshot, const TaskTiming& timing);

// Until the agent should have begun; none if nothing follows from that.
std::optional<Duration> until_overdue(const api::TaskSpec& spec, const api::TaskStatus& status,
                                      const TaskTiming& timing, WallTime now);

}  // namespace convoke::task
