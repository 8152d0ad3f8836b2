#include "reconcilers/task/first_tasks.h"

#include <tuple>

#include "reconcilers/task/demand.h"

namespace convoke::task {
namespace {

using api::TaskPhase;

std::string key_of(const api::Task& task) {
  return task.meta.namespace_ + "/" + task.spec.idempotency_key;
}

bool may_be_first(const api::Task& task) {
  if (task.status.phase == TaskPhase::Succeeded || is_live(task.status.phase)) {
    return true;
  }
  return !api::is_terminal(task.status.phase) && !task.meta.being_deleted() && !task.spec.cancel &&
         problems_of(task).empty();
}

}  // namespace

int FirstTasks::rank(const api::Task& task) const {
  if (task.status.phase == TaskPhase::Succeeded) {
    return 0;
  }
  const bool given_out = is_live(task.status.phase) || task.status.attempt > 0 ||
                         !task.status.attempts.empty() || !task.status.subtasks.empty() ||
                         caches_.tasks.count_by_index(api::index::kTasksByParent, task.meta.uid) > 0;
  return given_out ? 1 : 2;
}

TaskPtr FirstTasks::find_first(const std::string& key) const {
  const auto order = [this](const api::Task& each) {
    return std::tuple(rank(each), each.meta.creation_timestamp, each.meta.uid);
  };
  TaskPtr first;
  for (const TaskPtr& each : caches_.tasks.by_index(api::index::kTasksByKey, key)) {
    if (may_be_first(*each) && (first == nullptr || order(*each) < order(*first))) {
      first = each;
    }
  }
  return first;
}

TaskPtr FirstTasks::choose(const api::Task& task, bool& anew) {
  const std::string key = key_of(task);
  const MutexLock lock(mutex_);
  if (const auto chosen = chosen_.find(key); chosen != chosen_.end()) {
    TaskPtr first = caches_.tasks.get(chosen->second.task);
    const bool stands = first != nullptr && first->meta.uid == chosen->second.uid && may_be_first(*first);
    if (stands && !(may_be_first(task) && rank(task) < rank(*first))) {
      return first;
    }
    anew = true;
  }
  TaskPtr first = find_first(key);
  if (first != nullptr) {
    chosen_[key] = {first->meta.key(), first->meta.uid};
  } else {
    chosen_.erase(key);
  }
  return first;
}

TaskPtr FirstTasks::first_before(const api::Task& task) {
  if (task.spec.idempotency_key.empty()) {
    return nullptr;
  }
  bool anew = false;
  TaskPtr first = choose(task, anew);
  if (first == nullptr || first->meta.uid == task.meta.uid) {
    return nullptr;
  }
  if (anew && listener_) {
    listener_(first->meta.key());
  }
  return first;
}

bool FirstTasks::is_first(const api::Task& task) const {
  if (task.spec.idempotency_key.empty()) {
    return false;
  }
  const MutexLock lock(mutex_);
  const auto chosen = chosen_.find(key_of(task));
  return chosen != chosen_.end() && chosen->second.uid == task.meta.uid;
}

void FirstTasks::forget(const api::Task& gone) {
  if (gone.spec.idempotency_key.empty()) {
    return;
  }
  const std::string key = key_of(gone);
  const MutexLock lock(mutex_);
  if (caches_.tasks.count_by_index(api::index::kTasksByKey, key) == 0) {
    chosen_.erase(key);
  }
}

std::vector<TaskPtr> FirstTasks::others_waiting(const api::Task& task) const {
  std::vector<TaskPtr> others;
  if (task.spec.idempotency_key.empty()) {
    return others;
  }
  for (const TaskPtr& each : caches_.tasks.by_index(api::index::kTasksByKey, key_of(task))) {
    if (each->meta.uid != task.meta.uid && !api::is_terminal(each->status.phase)) {
      others.push_back(each);
    }
  }
  return others;
}

}  // namespace convoke::task
