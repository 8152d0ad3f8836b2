#include "reconcilers/workflow/run_children.h"

#include <unordered_map>
#include <utility>

#include "controller/kube/errors.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_start.h"
#include "reconcilers/workflow/workflow_audit.h"

namespace convoke::workflow {
namespace {

bool is_controlled_by(const api::Task& task, const api::WorkflowRun& run) {
  const auto* owner = task.meta.controller();
  return owner != nullptr && owner->uid == run.meta.uid;
}

std::vector<const api::StepStatus*> recorded_rows(const RunSnapshot& snapshot) {
  std::vector<const api::StepStatus*> rows(snapshot.definition->size(), nullptr);
  for (const auto& row : snapshot.status.steps) {
    if (const auto step = snapshot.definition->find(row.name)) {
      rows[*step] = &row;
    }
  }
  return rows;
}

}  // namespace

std::vector<TaskPtr> RunChildren::list(const api::WorkflowRun& run) const {
  return caches_.tasks.by_index(api::index::kTasksByRun, run.meta.uid);
}

Status RunChildren::match(const std::vector<TaskPtr>& tasks, RunSnapshot& snapshot) {
  const auto& run = *snapshot.run;
  const auto rows = recorded_rows(snapshot);
  snapshot.tasks.assign(snapshot.definition->size(), nullptr);
  for (const auto& task : tasks) {
    const auto& step_name = task->meta.label(api::label::kStep);
    const auto step = snapshot.definition->find(step_name);
    if (!step) {
      continue;
    }
    const auto& name = task->meta.name;
    const bool recorded = rows[*step] != nullptr && !rows[*step]->task_name.empty();
    const bool expected = recorded
                              ? name == rows[*step]->task_name
                              : name == child_name(run.meta.name, step_name) ||
                                    name == alternative_child_name(run.meta.name, run.meta.uid, step_name);
    if (expected) {
      snapshot.tasks[*step] = task;
    }
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool missing = !snapshot.tasks[i] && rows[i] != nullptr && !rows[i]->task_name.empty() &&
                         !api::is_terminal(rows[i]->phase);
    if (!missing) {
      continue;
    }
    auto found = find_named(run, rows[i]->task_name);
    if (!found) {
      return found.error();
    }
    if (*found) {
      snapshot.tasks[i] = std::move(*found);
    } else {
      snapshot.gone.insert(i);
    }
  }
  return {};
}

Result<TaskPtr> RunChildren::find_named(const api::WorkflowRun& run, const std::string& name) {
  const kube::ObjectKey key{run.meta.namespace_, name};
  if (auto cached = caches_.tasks.get(key); cached && is_controlled_by(*cached, run)) {
    return cached;
  }
  const auto answer = client_.get(api::kTask, key);
  if (!answer) {
    return answer.error().code == ErrorCode::NotFound ? Result<TaskPtr>(nullptr) : answer.error();
  }
  auto task = overlay(*answer);
  return is_controlled_by(*task, run) ? task : nullptr;
}

Result<bool> RunChildren::create(const std::vector<TaskStart>& starts, RunSnapshot& snapshot) {
  for (const auto& start : starts) {
    auto created = create_one(start, snapshot);
    if (!created || !*created) {
      return created;
    }
  }
  return true;
}

Result<bool> RunChildren::create_one(const TaskStart& start, RunSnapshot& snapshot) {
  const auto answer = client_.create(api::kTask, task_manifest(snapshot, start));
  if (answer) {
    if (audit_ != nullptr) {
      audit_->record(audit_of_creation(api::kTask, *answer, "WorkflowRun/" + snapshot.run->meta.name));
    }
    snapshot.tasks[start.step] = overlay(*answer);
    return true;
  }
  if (answer.error().code == ErrorCode::AlreadyExists) {
    return meet_existing(start, snapshot);
  }
  if (kube::is_about_the_object(answer.error())) {
    snapshot.refused[start.step] = {reason::kTaskRefused, answer.error().message};
    return false;
  }
  if (answer.error().code ==
      ErrorCode::Forbidden) {  // a quota or a role: it is tried again, and people should know
    events_.record(api::reference(*snapshot.run), runtime::EventType::Warning, reason::kTaskRefused, "Create",
                   answer.error().message);
  }
  return answer.error().with_context("creating Task " + start.name);
}

Result<bool> RunChildren::meet_existing(const TaskStart& start, RunSnapshot& snapshot) {
  const auto& run = *snapshot.run;
  auto found = find_named(run, start.name);
  if (!found) {
    return found.error();
  }
  if (*found) {
    snapshot.tasks[start.step] = std::move(*found);
    return true;
  }
  if (!snapshot.name_taken.insert(start.step).second) {
    snapshot.refused[start.step] = {
        reason::kNameConflict, "foreign objects have the names " +
                                   child_name(run.meta.name, snapshot.definition->step(start.step).name) +
                                   " and " + start.name};
    return false;
  }
  events_.record(api::reference(run), runtime::EventType::Warning, reason::kNameConflict, "Create",
                 "Task " + start.name + " exists and is not of this run: step \"" +
                     snapshot.definition->step(start.step).name + "\" gets the name " +
                     task_name(snapshot, start.step));
  return false;
}

Status RunChildren::patch(const std::vector<TaskPatch>& patches) {
  for (const auto& [task, patch] : patches) {
    Json body = patch;
    body["metadata"]["uid"] = task->meta.uid;  // not a successor of that name
    const auto answer = client_.patch(api::kTask, task->meta.key(), body, {kube::PatchType::Merge});
    if (answer) {
      overlay(*answer);
    } else if (answer.error().code != ErrorCode::NotFound) {
      return answer.error().with_context("patching Task " + task->meta.name);
    }
  }
  return {};
}

TaskPtr RunChildren::overlay(const Json& object) {
  auto task = std::make_shared<const api::Task>(api::Task::from_json(object));
  caches_.tasks.overlay(task);
  return task;
}

}  // namespace convoke::workflow
