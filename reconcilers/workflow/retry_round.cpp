#include "reconcilers/workflow/retry_round.h"

#include <algorithm>
#include <set>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_rows.h"

namespace convoke::workflow {
namespace {

// The steps that are to run although they succeeded: those that were named, and what follows them.
std::set<std::size_t> named_steps(const api::WorkflowRun& run, const Definition& definition) {
  std::set<std::size_t> named;
  for (const auto& name : run.spec.retry_from.steps) {
    if (const auto step = definition.find(name)) {
      named.insert(*step);
    }
  }
  for (const auto step : definition.order) {
    const auto& before = definition.dependencies[step];
    if (std::any_of(before.begin(), before.end(),
                    [&](std::size_t other) { return named.count(other) > 0; })) {
      named.insert(step);
    }
  }
  return named;
}

// Where a state machine goes on: at the state that was named; at its first one (empty) if anything was
// undone, for what led to where it was is no more; else where it was.
std::string first_state(const api::WorkflowRun& run, const Definition& definition) {
  for (const auto& name : run.spec.retry_from.steps) {
    if (const auto step = definition.find(name); step && definition.is_state(*step)) {
      return name;
    }
  }
  const auto& rows = run.status.steps;
  const bool undone = std::any_of(rows.begin(), rows.end(), [](const auto& row) {
    return row.phase == api::StepPhase::Compensated || row.reason == reason::kCompensationFailed ||
           row.items.find(ItemPhases::kUndone) != std::string::npos;
  });
  return undone ? "" : run.status.current_step;
}

// Items that succeeded, and are not undone, keep what they gave.
std::string kept_items(const std::string& text) {
  auto items = ItemPhases::parse(text);
  if (!items) {
    return {};
  }
  items->replace(ItemPhases::kUndoFailed, ItemPhases::kSucceeded);
  for (const char letter : {ItemPhases::kRunning, ItemPhases::kFailed, ItemPhases::kCancelled,
                            ItemPhases::kSkipped, ItemPhases::kUndone}) {
    items->replace(letter, ItemPhases::kPending);
  }
  return items->text();
}

api::StepStatus again(const api::StepStatus& row, int round, bool keeps_items) {
  api::StepStatus fresh;
  fresh.name = row.name;
  fresh.round = round;
  fresh.items = keeps_items ? kept_items(row.items) : "";
  return fresh;
}

// A compensation that failed left the step's effect as it was: it has succeeded.
api::StepStatus standing(api::StepStatus row) {
  row.phase = api::StepPhase::Succeeded;
  row.reason.clear();
  row.message.clear();
  row.compensation_name.clear();
  return row;
}

}  // namespace

bool is_retry_wanted(const api::WorkflowRun& run) {
  return api::is_terminal(run.status.phase) && run.status.phase != api::RunPhase::Succeeded &&
         run.spec.retry_from.round > run.status.round;
}

std::string retry_problem(const api::WorkflowRun& run, const Definition& definition) {
  if (run.spec.cancel) {
    return "a run that was cancelled cannot go on; create a new one";
  }
  if (run.status.steps.empty() || run.status.reason == reason::kStatusTooLarge) {
    return "the run never started, or its status did not fit; create a new one";
  }
  for (const auto& name : run.spec.retry_from.steps) {
    if (!definition.find(name)) {
      return "spec.retryFrom.steps: there is no step \"" + api::cut_text(name, 63) + "\"";
    }
  }
  return {};
}

api::WorkflowRunStatus begin_round(const api::WorkflowRun& run, const Definition& definition, WallTime now) {
  auto status = run.status;
  status.round = run.spec.retry_from.round;
  status.round_started_at = format_time(now);
  status.completed_at.clear();
  status.duration.clear();
  status.outputs.clear();
  status.transitions = 0;
  status.phase = api::RunPhase::Running;
  status.reason = reason::kRunning;
  status.current_step = first_state(run, definition);
  const auto named = named_steps(run, definition);
  for (auto& row : status.steps) {
    const auto step = definition.find(row.name);
    const bool main = step && !definition.is_finally(*step);
    const bool asked = step && named.count(*step) > 0;
    const bool stands = row.reason == reason::kCompensationFailed && row.items.empty();
    if (main && !asked && stands) {
      row = standing(std::move(row));
    } else if (!main || asked || row.phase != api::StepPhase::Succeeded) {
      row = again(row, status.round, main && !asked);
    }
  }
  return status;
}

}  // namespace convoke::workflow
