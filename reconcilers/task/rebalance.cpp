#include "reconcilers/task/rebalance.h"

#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

bool is_begun(const api::TaskStatus& status) {
  const api::Report& report = status.report;
  const bool reported = report.assignment_id == status.assignment.id &&
                        (report.state != api::ReportState::None || !report.started_at.empty());
  return status.phase != api::TaskPhase::Assigned || reported;
}

int moves_in_a_row(const api::TaskStatus& status) {
  int count = 0;
  for (auto attempt = status.attempts.rbegin(); attempt != status.attempts.rend(); ++attempt) {
    if (attempt->outcome != api::AttemptOutcome::Rebalanced) {
      break;
    }
    ++count;
  }
  return count;
}

bool may_move(const api::TaskSpec& spec, const api::TaskStatus& status) {
  const bool assigned = !status.agent_name.empty() && !status.assignment.id.empty();
  return assigned && spec.agent_name.empty() && !is_begun(status) && moves_in_a_row(status) < kMaxMoves;
}

}  // namespace

std::optional<Duration> until_overdue(const api::TaskSpec& spec, const api::TaskStatus& status,
                                      const TaskTiming& timing, WallTime now) {
  if (timing.rebalance_after <= Duration::zero() || !may_move(spec, status)) {
    return {};
  }
  return std::max(timing.rebalance_after - since(status.assigned_at, now), Duration::zero());
}

std::optional<Move> move_away(const TaskSnapshot& snapshot, const TaskTiming& timing) {
  const api::TaskStatus& status = snapshot.task.status;
  if (!may_move(snapshot.task.spec, status)) {
    return {};
  }
  if (!snapshot.agent.exists || snapshot.agent.phase == api::AgentPhase::Offline) {
    return Move{reason::kAgentLost, snapshot.agent.exists
                                        ? status.agent_name + " went Offline before it began"
                                        : status.agent_name + " was deleted before it began"};
  }
  if (snapshot.agent.phase == api::AgentPhase::Draining) {
    return Move{reason::kCordoned, status.agent_name + " was cordoned before it began"};
  }
  if (snapshot.room_elsewhere &&
      until_overdue(snapshot.task.spec, status, timing, snapshot.now) == Duration::zero()) {
    return Move{reason::kNotStarted, status.agent_name + " did not begin within " +
                                         format_duration(timing.rebalance_after) + ", and others have room"};
  }
  return {};
}

}  // namespace convoke::task
