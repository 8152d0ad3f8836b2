#include "reconcilers/workflow/run_decide.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/compensation.h"
#include "reconcilers/workflow/run_graph.h"
#include "reconcilers/workflow/run_outcome.h"
#include "reconcilers/workflow/run_status.h"
#include "reconcilers/workflow/state_machine.h"

namespace convoke::workflow {
namespace {

// A run begins now, unless a child of it proves that it began earlier and only the record of it is lost.
std::string start_time(const RunSnapshot& snapshot) {
  std::string earliest = format_time(snapshot.now);
  for (const auto& [key, child] : snapshot.children) {
    if (!child.meta().creation_timestamp.empty()) {
      earliest = std::min(earliest, child.meta().creation_timestamp);
    }
  }
  return earliest;
}

// Lets the steps go on, or halts them. Returns why they are being ended, if they are.
StopCause drive_steps(Plan& plan) {
  auto cause = find_stop(plan);
  if (cause == StopCause::None) {
    plan.definition.is_state_machine() ? walk_states(plan) : walk_graph(plan, false);
    cause = find_stop(plan);  // a step may have failed before it had a child
  }
  if (cause != StopCause::None) {
    plan.drop_starts();
    halt_steps(plan, cause);
    resume_runs(plan);
  } else {
    suspend_or_resume(plan);
    plan.wake_at(run_deadline(plan.snapshot));
  }
  return cause;
}

// Undoing begins only when it is on record that the steps are over and in which order they ended.
void drive_undo(Plan& plan) {
  if (plan.snapshot.run->status.phase == api::RunPhase::Compensating) {
    undo_next(plan);
    suspend_or_resume(plan);
  }
}

void drive_finally(Plan& plan, StopCause cause) {
  const auto outcome = find_outcome(plan, cause);
  plan.scope().set_outcome(outcome.phase, outcome.reason, outcome.message);
  const auto deadline = finally_deadline(plan);
  if (is_forced(*plan.snapshot.run) || (deadline && *deadline <= plan.snapshot.now)) {
    return halt_finally(plan);
  }
  walk_graph(plan, true);
  suspend_or_resume(plan);
  if (deadline) {
    plan.wake_at(*deadline);
  }
}

api::WorkflowRunStatus drive(Plan& plan) {
  // A state that has ended may lead to another, even when every state has its row.
  const bool goes_on =
      !main_ended(plan.snapshot, plan.rows) || (plan.definition.is_state_machine() && !is_cleaning_up(plan));
  auto cause = goes_on ? drive_steps(plan) : find_stop(plan);
  cancel_strays(plan);
  number_completions(plan);
  if (!main_ended(plan.snapshot, plan.rows)) {
    return running_status(plan, cause, false);
  }
  if (cause == StopCause::None && any_step_failed(plan)) {
    cause = StopCause::StepFailed;
  }
  if (is_to_be_undone(plan.snapshot, cause)) {
    drive_undo(plan);
    if (has_to_undo(plan)) {
      return running_status(plan, cause, true);
    }
  }
  if (!all_ended(plan.rows)) {
    drive_finally(plan, cause);
  }
  return all_ended(plan.rows) ? final_status(plan, find_last_outcome(plan, cause))
                              : running_status(plan, cause, false);
}

// The status as it will be at its largest, as far as that is known before anything has started.
api::WorkflowRunStatus grown(const RunSnapshot& snapshot, api::WorkflowRunStatus status) {
  for (std::size_t i = 0; i < status.steps.size(); ++i) {
    auto& row = status.steps[i];
    row.phase = api::StepPhase::Succeeded;
    row.task_name = first_name(*snapshot.run, row.name, {});
    row.started_at = status.started_at;
    row.completed_at = format_micro_time(snapshot.now);
    if (!snapshot.definition->step(i).compensate.empty()) {
      row.phase = api::StepPhase::Compensated;
      row.compensation_name = first_name(*snapshot.run, row.name, {i, -1, 0, 0, true});
      row.order = static_cast<int>(status.steps.size());
    }
  }
  return status;
}

bool fits(const RunSnapshot& snapshot, api::WorkflowRunStatus& status) {
  auto largest = snapshot.children.empty() ? grown(snapshot, status) : api::WorkflowRunStatus();
  return fit_status(*snapshot.run, largest) && fit_status(*snapshot.run, status);
}

RunDecision decide_started(const RunSnapshot& snapshot) {
  Plan plan(snapshot);
  RunDecision decision;
  decision.status = drive(plan);
  if (!fits(snapshot, decision.status)) {
    Plan stop(snapshot);
    for (const auto& [key, child] : snapshot.children) {
      stop.cancel(child, "run failed: its status is too large");
    }
    return {{}, std::move(stop.patches), too_large_status(snapshot, decision.status), {}};
  }
  decision.starts = std::move(plan.starts);
  decision.patches = std::move(plan.patches);
  if (!api::is_terminal(decision.status.phase)) {
    decision.wake_after = plan.wake;
  }
  return decision;
}

const ChildKey& key_in(const ChildKey& key) {
  return key;
}

template <class Value>
const ChildKey& key_in(const std::pair<const ChildKey, Value>& entry) {
  return entry.first;
}

template <class Known>
int latest_in(const Known& known, ChildKey key) {
  int last = 0;
  key.iteration = 0;
  for (auto it = known.lower_bound(key); it != known.end(); ++it) {
    const ChildKey& other = key_in(*it);
    if (other.step != key.step || other.item != key.item) {
      break;
    }
    if (other.round == key.round && other.undo == key.undo) {
      last = std::max(last, other.iteration);
    }
  }
  return last;
}

}  // namespace

const Child& RunSnapshot::child(const ChildKey& key) const {
  static const Child kNone;
  const auto found = children.find(key);
  return found == children.end() ? kNone : found->second;
}

int RunSnapshot::last_iteration(const ChildKey& key) const {
  return std::max({latest_in(children, key), latest_in(gone, key), latest_in(refused, key)});
}

RunDecision decide(const RunSnapshot& snapshot) {
  if (!snapshot.status.started_at.empty()) {
    return decide_started(snapshot);
  }
  RunSnapshot started = snapshot;
  started.status.started_at = start_time(snapshot);
  return decide_started(started);
}

}  // namespace convoke::workflow
