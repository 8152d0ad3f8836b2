// What a Task with subtasks asks for: whether it can work, and the Tasks that its subtasks become.
//
// Thread safety: pure functions. Errors: problems as text for people, as FieldReader says them.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

// What is wrong with spec.subtasks and spec.aggregation, with paths such as "spec.subtasks[build].task.type".
void add_subtask_problems(const api::TaskSpec& spec, std::vector<std::string>& problems);

// "<task>-<subtask>", always the same.
std::string subtask_name(const api::Task& whole, const api::Subtask& subtask);

// The Task to be created: it is `whole`'s, has its priority unless it says otherwise, and as long a deadline.
Json subtask_manifest(const api::Task& whole, const api::Subtask& subtask);

// The Task that `task` is a subtask of; null if it is none.
const kube::OwnerReference* controlling_task(const api::Task& task);

}  // namespace convoke::task
