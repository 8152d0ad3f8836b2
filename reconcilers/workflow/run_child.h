// The children of a run: the Task or the WorkflowRun that each execution of a step becomes, what they are
// called, and how they are told from one another.
//
// A child is known by its labels and by one of two names that follow from them, so that a create that is sent
// twice meets its own first try, and no other step's. Pure; safe from every thread.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/workflow_run.h"
#include "reconcilers/workflow/definition.h"

namespace convoke::workflow {

using TaskPtr = std::shared_ptr<const api::Task>;
using RunPtr = std::shared_ptr<const api::WorkflowRun>;

// Which execution of which step.
struct ChildKey {
  std::size_t step = 0;
  int item = -1;      // of a fan-out, from 0; -1: the step is none
  int iteration = 0;  // of a `repeat` or of visits to a state, from 1; 0: the step is neither
  int round = 0;      // of `retryFrom`
  bool undo = false;  // the compensation

  auto operator<=>(const ChildKey&) const = default;
};

// Exactly one of the two.
struct Child {
  TaskPtr task;
  RunPtr run;

  explicit operator bool() const { return task != nullptr || run != nullptr; }
  const kube::ObjectMeta& meta() const { return task ? task->meta : run->meta; }
  // Terminal. A run that was asked for one more round and has not looked at that yet goes on.
  bool ended() const;
  // Of one that ended: how. Succeeded, Failed or Cancelled.
  api::StepPhase phase() const;
  const std::string& reason() const { return task ? task->status.reason : run->status.reason; }
  const std::string& message() const { return task ? task->status.message : run->status.message; }
  const std::string& completed_at() const {
    return task ? task->status.completed_at : run->status.completed_at;
  }
  // An object as JSON text, or empty.
  const api::RawJson& outputs() const { return task ? task->status.report.outputs : run->status.outputs; }
};

using Children = std::map<ChildKey, Child>;

// The children of a run that the caches have.
struct KnownChildren {
  std::vector<TaskPtr> tasks;
  std::vector<RunPtr> runs;

  bool empty() const { return tasks.empty() && runs.empty(); }
};

// The first name of a child, "<run>-<step>[-<item>][-<iteration>][-undo][-r<round>]", and the one for when
// another object has that.
std::string first_name(const api::WorkflowRun& run, const std::string& step, const ChildKey& key);
std::string second_name(const api::WorkflowRun& run, const std::string& step, const ChildKey& key);

// What a child is labelled with so that it is found again, on top of what all children of a run have.
std::map<std::string, std::string> key_labels(const std::string& step, const ChildKey& key);

// Which child of the run this object is; nothing if it is none that the definition knows.
std::optional<ChildKey> key_of(const api::WorkflowRun& run, const Definition& definition,
                               const kube::ObjectMeta& child);

}  // namespace convoke::workflow
