#include "reconcilers/workflow/run_rows.h"

#include <algorithm>
#include <unordered_map>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxRowMessageBytes = 256;

api::StepPhase phase_of_ended(api::TaskPhase phase) {
  switch (phase) {
    case api::TaskPhase::Succeeded:
      return api::StepPhase::Succeeded;
    case api::TaskPhase::Cancelled:
      return api::StepPhase::Cancelled;
    default:
      return api::StepPhase::Failed;
  }
}

void apply_task(api::StepStatus& row, const api::Task& task, const std::string& now) {
  if (row.phase == api::StepPhase::Pending) {
    start_row(row, task.meta.name, task.meta.creation_timestamp.empty() ? now : task.meta.creation_timestamp);
  }
  if (api::is_terminal(task.status.phase)) {
    const bool succeeded = task.status.phase == api::TaskPhase::Succeeded;
    end_row(row, phase_of_ended(task.status.phase), succeeded ? "" : task.status.reason,
            succeeded ? "" : task.status.message,
            task.status.completed_at.empty() ? now : task.status.completed_at);
  }
}

}  // namespace

void start_row(api::StepStatus& row, const std::string& task_name, const std::string& started_at) {
  row.phase = api::StepPhase::Running;
  row.task_name = task_name;
  row.started_at = started_at;
}

void end_row(api::StepStatus& row, api::StepPhase phase, const std::string& reason,
             const std::string& message, const std::string& now) {
  row.phase = phase;
  row.reason = reason;
  row.message = api::cut_text(message, kMaxRowMessageBytes);
  row.completed_at = now;
}

Rows observe_rows(const RunSnapshot& snapshot) {
  const auto& definition = *snapshot.definition;
  const std::string now = format_time(snapshot.now);
  std::unordered_map<std::string, const api::StepStatus*> recorded;
  for (const auto& row : snapshot.status.steps) {
    recorded.emplace(row.name, &row);
  }
  Rows rows(definition.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& row = rows[i];
    row.name = definition.step(i).name;
    if (const auto found = recorded.find(row.name); found != recorded.end()) {
      row = *found->second;
    }
    if (api::is_terminal(row.phase)) {
      continue;
    }
    if (snapshot.tasks[i]) {
      apply_task(row, *snapshot.tasks[i], now);
    } else if (snapshot.gone.count(i) > 0) {
      end_row(row, api::StepPhase::Failed, reason::kTaskDeleted,
              "Task " + row.task_name +
                  " was deleted before it ended; what it did is unknown, so it is not run again",
              now);
    } else if (const auto refused = snapshot.refused.find(i); refused != snapshot.refused.end()) {
      end_row(row, api::StepPhase::Failed, refused->second.reason, refused->second.message, now);
    }
  }
  return rows;
}

bool lets_dependents_start(const api::Step& step, const api::StepStatus& row) {
  switch (row.phase) {
    case api::StepPhase::Succeeded:
      return true;
    case api::StepPhase::Failed:
    case api::StepPhase::Cancelled:
      return step.optional;
    default:
      return false;
  }
}

bool fails_run(const api::Step& step, const api::StepStatus& row) {
  return !step.optional && (row.phase == api::StepPhase::Failed || row.phase == api::StepPhase::Cancelled);
}

bool all_ended(const Rows& rows) {
  return std::all_of(rows.begin(), rows.end(), [](const auto& row) { return api::is_terminal(row.phase); });
}

}  // namespace convoke::workflow
