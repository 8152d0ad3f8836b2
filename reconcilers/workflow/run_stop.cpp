#include "reconcilers/workflow/run_stop.h"

#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

constexpr Duration kDefaultRunTimeout = std::chrono::hours(1);
constexpr std::size_t kMaxReasonBytes = 256;

StopCause recorded_cause(const api::WorkflowRunStatus& status) {
  for (const auto cause : {StopCause::Cancelled, StopCause::Timeout, StopCause::StepFailed}) {
    if (status.reason == reason_of(cause)) {
      return cause;
    }
  }
  return StopCause::None;
}

bool any_row_fails_run(const Definition& definition, const Rows& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (fails_run(definition.step(i), rows[i])) {
      return true;
    }
  }
  return false;
}

// Suspending holds only for the version that was seen: a Task that got its agent meanwhile is let finish.
Json suspend_patch(const api::Task& task) {
  return {{"metadata",
           {{"resourceVersion", task.meta.resource_version},
            {"annotations", {{annotation::kSuspendedByRun, "true"}}}}},
          {"spec", {{"suspend", true}}}};
}

Json resume_patch() {
  return {{"metadata", {{"annotations", {{annotation::kSuspendedByRun, nullptr}}}}},
          {"spec", {{"suspend", false}}}};
}

}  // namespace

const char* reason_of(StopCause cause) {
  switch (cause) {
    case StopCause::Cancelled:
      return reason::kCancelled;
    case StopCause::Timeout:
      return reason::kTimeout;
    case StopCause::StepFailed:
      return reason::kStepFailed;
    case StopCause::None:
      break;
  }
  return "";
}

StopCause find_stop(const RunSnapshot& snapshot, const Rows& rows) {
  if (const auto recorded = recorded_cause(snapshot.status); recorded != StopCause::None) {
    return recorded;
  }
  // A cancelled row may be this very stop's work, recorded before the stop itself was.
  const bool interruptible = std::any_of(rows.begin(), rows.end(), [](const auto& row) {
    return !api::is_terminal(row.phase) || row.phase == api::StepPhase::Cancelled;
  });
  if (interruptible && snapshot.run->spec.cancel) {
    return StopCause::Cancelled;
  }
  if (interruptible && time_left(snapshot) <= Duration::zero()) {
    return StopCause::Timeout;
  }
  const bool aborts = snapshot.definition->spec.on_failure == api::FailurePolicy::Abort && !all_ended(rows) &&
                      any_row_fails_run(*snapshot.definition, rows);
  return aborts ? StopCause::StepFailed : StopCause::None;
}

std::string describe_stop(const RunSnapshot& snapshot, const Rows& rows, StopCause cause) {
  switch (cause) {
    case StopCause::Cancelled: {
      const auto& cancel = snapshot.run->spec.cancel;
      return "cancelled" + (cancel && !cancel->reason.empty() ? ": " + cancel->reason : std::string());
    }
    case StopCause::Timeout:
      return "timed out after " + human_duration(run_timeout(*snapshot.definition));
    case StopCause::StepFailed:
      return name_failed_steps(*snapshot.definition, rows) + " failed";
    case StopCause::None:
      break;
  }
  return {};
}

void end_pending_rows(const RunSnapshot& snapshot, StopCause cause, Rows& rows) {
  const std::string now = format_time(snapshot.now);
  for (auto& row : rows) {
    if (row.phase != api::StepPhase::Pending) {
      continue;
    }
    if (cause == StopCause::Cancelled) {
      end_row(row, api::StepPhase::Cancelled, reason::kRunCancelled, "", now);
    } else {
      end_row(row, api::StepPhase::Skipped,
              cause == StopCause::Timeout ? reason::kRunTimeout : reason::kRunFailed, "", now);
    }
  }
}

std::vector<TaskPatch> cancel_tasks(const RunSnapshot& snapshot, const std::string& why) {
  std::vector<TaskPatch> patches;
  for (const auto& task : snapshot.tasks) {
    if (task && !api::is_terminal(task->status.phase) && !task->spec.cancel) {
      patches.push_back(
          {task, {{"spec", {{"cancel", {{"reason", api::cut_text("run " + why, kMaxReasonBytes)}}}}}}});
    }
  }
  return patches;
}

std::vector<TaskPatch> suspend_or_resume_tasks(const RunSnapshot& snapshot) {
  const bool suspend = snapshot.run->spec.suspend;
  std::vector<TaskPatch> patches;
  for (const auto& task : snapshot.tasks) {
    if (!task || api::is_terminal(task->status.phase)) {
      continue;
    }
    const bool unassigned =
        task->status.phase == api::TaskPhase::Pending || task->status.phase == api::TaskPhase::Queued;
    const bool ours = task->meta.annotations.count(annotation::kSuspendedByRun) > 0;
    if (suspend ? unassigned && !task->spec.suspend : ours) {
      patches.push_back({task, suspend ? suspend_patch(*task) : resume_patch()});
    }
  }
  return patches;
}

Duration run_timeout(const Definition& definition) {
  return definition.spec.timeout.value_or(kDefaultRunTimeout);
}

Duration time_left(const RunSnapshot& snapshot) {
  const auto started = parse_time(snapshot.status.started_at);
  return started ? *started + run_timeout(*snapshot.definition) - snapshot.now
                 : run_timeout(*snapshot.definition);
}

std::string name_failed_steps(const Definition& definition, const Rows& rows) {
  constexpr std::size_t kShown = 5;
  std::string names;
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (fails_run(definition.step(i), rows[i]) && ++count <= kShown) {
      names += (names.empty() ? "\"" : ", \"") + rows[i].name + "\"";
    }
  }
  if (count > kShown) {
    names += " and " + std::to_string(count - kShown) + " more";
  }
  return (count == 1 ? "step " : "steps ") + names;
}

}  // namespace convoke::workflow
