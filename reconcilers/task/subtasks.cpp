#include "reconcilers/task/subtasks.h"

#include <algorithm>
#include <map>

#include "controller/base/side_by_side.h"
#include "controller/kube/errors.h"
#include "reconcilers/task/reasons.h"
#include "reconcilers/task/subtask_spec.h"
#include "reconcilers/task/task_audit.h"

namespace convoke::task {
namespace {

constexpr std::size_t kCreatesAtOnce = 8;

bool is_of(const api::Task& subtask, const api::Task& whole) {
  const kube::OwnerReference* owner = controlling_task(subtask);
  return owner != nullptr && owner->uid == whole.meta.uid;
}

// Null unless it was created once.
const api::SubtaskRow* row_of(const api::Task& whole, const std::string& name) {
  const auto& rows = whole.status.subtasks;
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const api::SubtaskRow& each) {
    return each.name == name && !each.task_name.empty();
  });
  return row == rows.end() ? nullptr : &*row;
}

bool is_over(const api::Task& whole) {
  return api::is_terminal(whole.status.phase) || whole.meta.being_deleted();
}

// 403 of any kind: a quota, a policy, a role. Whoever waits for it would leave half of the work running.
bool is_refusal(const Error& error) {
  return kube::is_about_the_object(error) || error.code == ErrorCode::Forbidden;
}

}  // namespace

Result<std::vector<SubtaskState>> Subtasks::find(const api::Task& whole) const {
  std::map<std::string, TaskPtr> by_name;
  for (const TaskPtr& task : caches_.tasks.by_index(api::index::kTasksByParent, whole.meta.uid)) {
    by_name[task->meta.name] = task;
  }
  std::vector<SubtaskState> states(whole.spec.subtasks.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    const api::Subtask& subtask = whole.spec.subtasks[i];
    const std::string name = subtask_name(whole, subtask);
    if (const auto found = by_name.find(name); found != by_name.end()) {
      states[i].task = found->second;
    } else if (const auto* row = row_of(whole, subtask.name); row != nullptr && !is_over(whole)) {
      if (row->reason == reason::kSubtaskDeleted) {
        states[i].gone = true;
        continue;
      }
      auto asked = ask_for(whole, name);
      if (!asked) {
        return asked.error();
      }
      states[i].task = *asked;
      states[i].gone = states[i].task == nullptr;
    }
  }
  return states;
}

// Null if there is none of this Task.
Result<TaskPtr> Subtasks::ask_for(const api::Task& whole, const std::string& name) const {
  const auto answer = client_.get(api::kTask, {whole.meta.namespace_, name});
  if (!answer) {
    return answer.error().code == ErrorCode::NotFound ? Result<TaskPtr>(nullptr) : answer.error();
  }
  TaskPtr task = overlay(*answer);
  return is_of(*task, whole) ? task : nullptr;
}

Status Subtasks::create(const api::Task& whole, const std::vector<std::size_t>& which,
                        std::vector<SubtaskState>& states) const {
  std::vector<Status> answers(which.size());
  side_by_side(clock_, "create", which.size(), kCreatesAtOnce, [&](std::size_t n) {
    const std::size_t i = which[n];
    answers[n] = create_one(whole, whole.spec.subtasks[i], states[i]);
    return answers[n] && states[i].refusal.empty();
  });
  const auto failed =
      std::find_if(answers.begin(), answers.end(), [](const Status& answer) { return !answer; });
  return failed == answers.end() ? Status() : *failed;
}

Status Subtasks::create_one(const api::Task& whole, const api::Subtask& subtask, SubtaskState& state) const {
  const std::string name = subtask_name(whole, subtask);
  const auto answer = client_.create(api::kTask, subtask_manifest(whole, subtask));
  if (answer) {
    if (audit_ != nullptr) {
      audit_->record(audit_of_creation(*answer, whole));
    }
    state.task = overlay(*answer);
    return {};
  }
  if (answer.error().code == ErrorCode::AlreadyExists) {
    return meet_existing(whole, name, state);
  }
  if (is_refusal(answer.error())) {
    state.refusal = answer.error().message;
    return {};
  }
  return answer.error().with_context("creating Task " + name);
}

Status Subtasks::meet_existing(const api::Task& whole, const std::string& name, SubtaskState& state) const {
  const auto answer = client_.get(api::kTask, {whole.meta.namespace_, name});
  if (!answer) {
    return answer.error().with_context("reading Task " + name);
  }
  const TaskPtr task = overlay(*answer);
  if (is_of(*task, whole)) {
    state.task = task;
    return {};
  }
  const kube::OwnerReference* owner = controlling_task(*task);
  if (owner != nullptr && owner->name == whole.meta.name) {
    // Of a Task of the same name that was deleted: the garbage collector has not come by yet.
    return Error{ErrorCode::Unavailable, "Task " + name + " of the former Task " + whole.meta.name +
                                             " is still being deleted; it is tried again"};
  }
  state.refusal = "there is a Task " + name + " already, which is not of this Task";
  return {};
}

Status Subtasks::patch(const std::vector<std::pair<TaskPtr, Json>>& patches) const {
  for (const auto& [task, patch] : patches) {
    Json body = patch;
    body["metadata"]["uid"] = task->meta.uid;  // not a successor of that name
    const auto answer = client_.patch(api::kTask, task->meta.key(), body, {kube::PatchType::Merge});
    if (answer) {
      overlay(*answer);
    } else if (answer.error().code != ErrorCode::NotFound && answer.error().code != ErrorCode::Conflict) {
      return answer.error().with_context("patching Task " + task->meta.name);
    }
  }
  return {};
}

Status Subtasks::remove(const std::vector<TaskPtr>& subtasks) const {
  for (const TaskPtr& task : subtasks) {
    const Status removed = client_.remove(api::kTask, task->meta.key(), {task->meta.uid, {}, {}});
    if (!removed && removed.error().code != ErrorCode::NotFound &&
        removed.error().code != ErrorCode::Conflict) {
      return removed.error().with_context("deleting Task " + task->meta.name);
    }
    if (removed && audit_ != nullptr) {
      audit_->record(audit_of_removal(*task, reason::kSubtaskNotCreated));
    }
    if (task->meta.finalizers.empty()) {
      caches_.tasks.overlay_removed(task->meta.key(), task->meta.uid);
    }
  }
  return {};
}

TaskPtr Subtasks::overlay(const Json& object) const {
  auto task = std::make_shared<const api::Task>(api::Task::from_json(object));
  caches_.tasks.overlay(task);
  return task;
}

}  // namespace convoke::task
