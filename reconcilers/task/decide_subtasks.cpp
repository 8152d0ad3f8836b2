#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/task/decision.h"
#include "reconcilers/task/reasons.h"
#include "reconcilers/task/subtask_spec.h"

namespace convoke::task {
namespace {

constexpr std::size_t kMaxReasonBytes = 256;

Json cancel_patch(const std::string& why) {
  return {{"spec", {{"cancel", {{"reason", api::cut_text(why, kMaxReasonBytes)}}}}}};
}

Json suspend_patch() {
  return {{"metadata", {{"annotations", {{annotation::kSuspendedByParent, "true"}}}}},
          {"spec", {{"suspend", true}}}};
}

Json resume_patch() {
  return {{"metadata", {{"annotations", {{annotation::kSuspendedByParent, nullptr}}}}},
          {"spec", {{"suspend", false}}}};
}

}  // namespace

// Every subtask exists before it is Running; a row in the status says that its Task was created once.
void Decision::start_subtasks() {
  for (std::size_t i = 0; i < seen_.subtasks.size(); ++i) {
    const SubtaskState& state = seen_.subtasks[i];
    if (!state.refusal.empty()) {
      fail(AttemptOutcome::Failed, reason::kSubtaskNotCreated,
           "subtask \"" + task_.spec.subtasks[i].name + "\" cannot be created: " + state.refusal);
      return;
    }
    if (state.task == nullptr && !state.gone) {
      out_.subtasks.create.push_back(i);
    }
  }
  if (!out_.subtasks.create.empty()) {
    put_off(timing_.busy_write_delay);
    return;
  }
  if (next_.phase == TaskPhase::Pending) {
    to(TaskPhase::Queued, reason::kQueued, "");
  }
  next_.subtasks = subtask_rows(task_, seen_.subtasks);
  to(TaskPhase::Running, reason::kRunning, describe_progress(count(next_.subtasks)));
  decide_subtasks();
}

void Decision::decide_subtasks() {
  const auto rows = subtask_rows(task_, seen_.subtasks);
  const auto left = until_aggregation_timeout(task_, seen_.subtasks, seen_.now);
  const bool time_is_up = left && *left <= Duration::zero();
  const SubtaskVerdict verdict = judge(task_.spec.aggregation, rows, time_is_up);
  if (verdict.kind == SubtaskVerdict::Kind::Succeeded) {
    succeed_together(verdict);
  } else if (task_.spec.cancel) {
    cancel();
  } else if (until_deadline() <= Duration::zero()) {
    exceed_deadline();
  } else if (verdict.kind == SubtaskVerdict::Kind::Failed) {
    fail(AttemptOutcome::Failed, verdict.reason, verdict.message);
  } else if (task_.spec.suspend) {
    to(TaskPhase::Queued, reason::kSuspended, "");
    suspend();
  } else {
    show_progress(rows);
    if (left) {
      look_again(*left);
    }
    return;
  }
  next_.subtasks = rows;
}

void Decision::show_progress(const std::vector<api::SubtaskRow>& rows) {
  if (next_.subtasks == rows) {
    return;
  }
  if (seen_.progress_wait > Duration::zero()) {
    look_again(seen_.progress_wait);
    return;
  }
  next_.subtasks = rows;
  if (next_.phase == TaskPhase::Running) {
    to(TaskPhase::Running, reason::kRunning, describe_progress(count(rows)));
  }
}

void Decision::succeed_together(const SubtaskVerdict& verdict) {
  const auto outputs = combine_outputs(task_, seen_.subtasks, kMaxOutputBytes);
  if (!outputs) {
    fail(AttemptOutcome::Failed, reason::kOutputTooLarge, outputs.error().message);
    return;
  }
  set_result(*outputs);
  to(TaskPhase::Succeeded, reason::kSucceeded, verdict.message);
  event(EventType::Normal, reason::kSucceeded, action::kFinish, verdict.message);
}

// Of a Task that no agent reports about.
void Decision::set_result(const api::RawJson& outputs) {
  next_.report = {};
  next_.report.state = ReportState::Succeeded;
  next_.report.outputs = outputs;
  next_.report.raw =
      outputs.empty() ? R"({"state":"Succeeded"})" : R"({"outputs":)" + outputs + R"(,"state":"Succeeded"})";
}

// --- What the subtasks are told ---

void Decision::direct_subtasks() {
  const bool undo = next_.phase == TaskPhase::Failed && next_.reason == reason::kSubtaskNotCreated;
  for (const SubtaskState& state : seen_.subtasks) {
    if (state.task == nullptr || state.task->meta.being_deleted()) {
      continue;
    }
    if (undo) {
      out_.subtasks.remove.push_back(state.task);
    } else if (Json patch = patch_of(*state.task); !patch.empty()) {
      out_.subtasks.patch.emplace_back(state.task, std::move(patch));
    }
  }
}

// Empty if there is nothing to say.
Json Decision::patch_of(const api::Task& subtask) const {
  if (api::is_terminal(subtask.status.phase)) {
    return Json::object();
  }
  if (api::is_terminal(next_.phase)) {
    const std::string why = "Task " + task_.meta.name + " is " + api::to_string(next_.phase) + ": ";
    return subtask.spec.cancel ? Json::object() : cancel_patch(why + next_.message);
  }
  Json patch = Json::object();
  const bool ours = subtask.meta.annotations.count(annotation::kSuspendedByParent) > 0;
  if (task_.spec.suspend && !subtask.spec.suspend) {
    patch = suspend_patch();
  } else if (!task_.spec.suspend && ours) {
    patch = resume_patch();
  }
  if (subtask.spec.deadline < task_.spec.deadline) {
    patch["spec"]["deadline"] = format_duration(task_.spec.deadline);
  }
  return patch;
}

}  // namespace convoke::task
