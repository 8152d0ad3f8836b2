// The subtasks of a Task, as they are in the API: found, created, patched and undone. The Task reconciler's
// hands.
//
// Their names are deterministic, so a create that is sent again, after a crash or a lost answer, meets its
// own first try. Only the API server's word proves that a subtask is gone.
//
// Thread safety: all methods from every thread. Ownership: client, caches and clock outlive this; `audit` may
// be null. Errors: only those that a later try may not meet again; what the API server will go on refusing
// becomes a fact (SubtaskState::refusal), so that the next decision can answer it.
#pragma once

#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/client.h"
#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/task/task_decide.h"

namespace convoke::task {

class Subtasks {
 public:
  Subtasks(kube::Client& client, api::Caches& caches, Clock& clock, api::AuditLog* audit)
      : client_(client), caches_(caches), clock_(clock), audit_(audit) {}

  // One state for each of spec.subtasks.
  Result<std::vector<SubtaskState>> find(const api::Task& whole) const;

  // Several at once (side_by_side.h). None is begun after a refusal.
  Status create(const api::Task& whole, const std::vector<std::size_t>& which,
                std::vector<SubtaskState>& states) const;

  Status patch(const std::vector<std::pair<TaskPtr, Json>>& patches) const;
  Status remove(const std::vector<TaskPtr>& subtasks) const;

 private:
  Result<TaskPtr> ask_for(const api::Task& whole, const std::string& name) const;
  Status create_one(const api::Task& whole, const api::Subtask& subtask, SubtaskState& state) const;
  Status meet_existing(const api::Task& whole, const std::string& name, SubtaskState& state) const;
  TaskPtr overlay(const Json& object) const;

  kube::Client& client_;
  api::Caches& caches_;
  Clock& clock_;
  api::AuditLog* const audit_;
};

}  // namespace convoke::task
