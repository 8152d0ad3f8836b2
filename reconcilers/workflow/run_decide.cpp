#include "reconcilers/workflow/run_decide.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/run_outcome.h"
#include "reconcilers/workflow/run_rows.h"
#include "reconcilers/workflow/run_start.h"
#include "reconcilers/workflow/run_status.h"
#include "reconcilers/workflow/run_stop.h"

namespace convoke::workflow {
namespace {

// A run begins now, unless a Task of it proves that it began earlier and only the record of it is lost.
std::string start_time(const RunSnapshot& snapshot) {
  std::string earliest = format_time(snapshot.now);
  for (const auto& task : snapshot.tasks) {
    if (task && !task->meta.creation_timestamp.empty()) {
      earliest = std::min(earliest, task->meta.creation_timestamp);
    }
  }
  return earliest;
}

void end_run(const RunSnapshot& snapshot, StopCause cause, Rows rows, RunDecision& decision) {
  auto outcome = find_outcome(snapshot, rows, cause);
  decision.status = final_status(snapshot, std::move(rows), std::move(outcome));
}

void stop_run(const RunSnapshot& snapshot, StopCause cause, Rows rows, RunDecision& decision) {
  decision.starts.clear();
  end_pending_rows(snapshot, cause, rows);
  decision.patches = cancel_tasks(snapshot, describe_stop(snapshot, rows, cause));
  if (all_ended(rows)) {
    end_run(snapshot, cause, std::move(rows), decision);
  } else {
    decision.status = running_status(snapshot, std::move(rows), cause);
  }
}

void go_on(const RunSnapshot& snapshot, Rows rows, RunDecision& decision) {
  const std::string now = format_time(snapshot.now);
  for (const auto& start : decision.starts) {
    start_row(rows[start.step], start.name, now);
  }
  decision.patches = suspend_or_resume_tasks(snapshot);
  if (all_ended(rows)) {
    end_run(snapshot, StopCause::None, std::move(rows), decision);
  } else {
    decision.status = running_status(snapshot, std::move(rows), StopCause::None);
    decision.wake_after = std::max(time_left(snapshot), Duration(1));
  }
}

RunDecision decide_started(const RunSnapshot& snapshot) {
  RunDecision decision;
  Rows rows = observe_rows(snapshot);
  auto cause = find_stop(snapshot, rows);
  if (cause == StopCause::None) {
    decision.starts = plan_starts(snapshot, rows);
    cause = find_stop(snapshot, rows);  // a step may have failed before it had a Task
  }
  if (cause == StopCause::None) {
    go_on(snapshot, std::move(rows), decision);
  } else {
    stop_run(snapshot, cause, std::move(rows), decision);
  }
  if (!fit_status(*snapshot.run, decision.status)) {
    decision.starts.clear();
    decision.patches = cancel_tasks(snapshot, "failed: its status is too large");
    decision.status = too_large_status(snapshot, decision.status);
    decision.wake_after.reset();
  }
  return decision;
}

}  // namespace

RunDecision decide(const RunSnapshot& snapshot) {
  if (!snapshot.status.started_at.empty()) {
    return decide_started(snapshot);
  }
  RunSnapshot started = snapshot;
  started.status.started_at = start_time(snapshot);
  return decide_started(started);
}

}  // namespace convoke::workflow
