// What to do next for one WorkflowRun: the pure heart of the run reconciler. Start here, then follow the
// parts in the order that decide() calls them: run_rows (what is), run_stop (must it end?), run_start (what
// may start), run_outcome (how it ended), run_status (what to write).
//
// A decision is a function of the snapshot alone, so a decision that was lost half-way (a crash, a conflict)
// is simply taken again. Pure; safe from every thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/json.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/workflow/definition.h"

namespace convoke::workflow {

using TaskPtr = std::shared_ptr<const api::Task>;
using RunPtr = std::shared_ptr<const api::WorkflowRun>;

// Why a step cannot have its Task: an answer of the API server that a retry would not change.
struct Refusal {
  std::string reason;
  std::string message;
};

// Everything that is known of a run at one moment. Vectors and keys go by the step's position in the
// definition.
struct RunSnapshot {
  RunPtr run;
  api::WorkflowRunStatus status;  // as decided last: what the API has, or what is about to be written
  DefinitionPtr definition;
  std::string revision;              // the ControllerRevision it came from; empty for an inline definition
  api::RawJson parameters;           // resolved
  std::vector<TaskPtr> tasks;        // null where there is none
  std::set<std::size_t> gone;        // the row names a Task, and that Task is proven not to exist
  std::set<std::size_t> name_taken;  // a foreign object has the Task's first name
  std::map<std::size_t, Refusal> refused;
  WallTime now;
};

struct TaskStart {
  std::size_t step;
  std::string name;
  Json spec;
};

// A merge patch of one child Task.
struct TaskPatch {
  TaskPtr task;
  Json patch;
};

// Carried out in this order: starts, patches, status.
struct RunDecision {
  std::vector<TaskStart> starts;
  std::vector<TaskPatch> patches;
  api::WorkflowRunStatus status;
  std::optional<Duration> wake_after;  // when time alone changes the decision
};

RunDecision decide(const RunSnapshot& snapshot);

}  // namespace convoke::workflow
