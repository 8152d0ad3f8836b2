#include "reconcilers/task/phase_table.h"

#include <array>
#include <cstddef>
#include <string>

#include "controller/base/time_format.h"

namespace convoke::task {
namespace {

using api::Health;
using api::TaskPhase;

constexpr std::size_t kTaskPhases = 7;

// A phase may always be entered again (another reason), except the terminal ones.
struct Row {
  TaskPhase phase;
  Health health;
  std::array<bool, kTaskPhases> to;
};

constexpr bool o = false;
constexpr bool X = true;

// clang-format off
constexpr std::array<Row, kTaskPhases> kTable{{
    //                                          Pending Queued Assigned Running Succeeded Failed Cancelled
    {TaskPhase::Pending,   Health::InProgress, {X,      X,     o,       o,      o,        X,     X}},
    {TaskPhase::Queued,    Health::InProgress, {X,      X,     X,       o,      o,        X,     X}},
    {TaskPhase::Assigned,  Health::InProgress, {o,      X,     X,       X,      X,        X,     X}},
    {TaskPhase::Running,   Health::InProgress, {o,      X,     o,       X,      X,        X,     X}},
    {TaskPhase::Succeeded, Health::Current,    {o,      o,     o,       o,      o,        o,     o}},
    {TaskPhase::Failed,    Health::Failed,     {o,      o,     o,       o,      o,        o,     o}},
    {TaskPhase::Cancelled, Health::Failed,     {o,      o,     o,       o,      o,        o,     o}},
}};
// clang-format on

constexpr std::size_t index_of(TaskPhase phase) {
  return static_cast<std::size_t>(phase);
}

constexpr bool rows_follow_the_enum() {
  for (std::size_t i = 0; i < kTaskPhases; ++i) {
    if (index_of(kTable[i].phase) != i) {
      return false;
    }
  }
  return true;
}
static_assert(rows_follow_the_enum());

void forget_assignment(api::TaskStatus& status) {
  status.agent_name.clear();
  status.assignment = {};
  status.report = {};
  status.assigned_at.clear();
  status.started_at.clear();
}

void enter(api::TaskStatus& status, TaskPhase to, const std::string& now) {
  switch (to) {
    case TaskPhase::Pending:
      forget_assignment(status);
      break;
    case TaskPhase::Queued:
      forget_assignment(status);
      status.queued_at = now;
      break;
    case TaskPhase::Assigned:
      status.assigned_at = now;
      status.retry_at.clear();
      break;
    case TaskPhase::Running:
      status.started_at = now;
      break;
    case TaskPhase::Succeeded:
    case TaskPhase::Failed:
    case TaskPhase::Cancelled:
      status.completed_at = now;
      status.retry_at.clear();
      break;
  }
}

bool needs_no_agent(const api::TaskStatus& status, TaskPhase to) {
  return status.phase == TaskPhase::Queued && ((to == TaskPhase::Running && !status.subtasks.empty()) ||
                                               (to == TaskPhase::Succeeded && !status.result_from.empty()));
}

}  // namespace

bool may_become(TaskPhase from, TaskPhase to) {
  return kTable[index_of(from)].to[index_of(to)];
}

Status transition(api::TaskStatus& status, const PhaseChange& change) {
  if (!may_become(status.phase, change.to) && !needs_no_agent(status, change.to)) {
    return {ErrorCode::Internal, std::string("a Task cannot go from ") + api::to_string(status.phase) +
                                     " to " + api::to_string(change.to)};
  }
  const bool enters = status.phase != change.to || !status.present;
  if (enters) {
    enter(status, change.to, format_micro_time(change.now));
  }
  status.present = true;
  status.phase = change.to;
  status.reason = change.reason;
  status.message = change.message;
  status.observed_generation = change.generation;
  const Health health = change.stalled ? Health::Failed : kTable[index_of(change.to)].health;
  api::set_health(status.conditions, health, change.reason, change.message, change.generation,
                  format_time(change.now));
  return {};
}

void observe_generation(api::TaskStatus& status, std::int64_t generation) {
  status.observed_generation = generation;
  for (api::Condition& condition : status.conditions) {
    condition.observed_generation = generation;
  }
}

}  // namespace convoke::task
