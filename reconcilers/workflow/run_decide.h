// What to do next for one WorkflowRun: the pure heart of the run reconciler. Start here, then follow the
// parts: run_rows (what is), run_stop (must it end?), run_graph and state_machine (which step comes next),
// run_step (what a step does; fan_out, approval_step, wait_step), compensation (the undo), run_outcome (how
// it ended), run_status (what to write), retry_round (once more).
//
// A run goes through its steps, then, if it failed and is to be undone, through their compensations, then
// through `finally`.
//
// A decision is a function of the snapshot alone, so a decision that was lost half-way (a crash, a conflict)
// is simply taken again. Pure; safe from every thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/json.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/run_child.h"

namespace convoke::workflow {

// Why a step cannot have its child: an answer of the API server that a retry would not change.
struct Refusal {
  std::string reason;
  std::string message;
};

// Everything that is known of a run at one moment.
struct RunSnapshot {
  RunPtr run;
  api::WorkflowRunStatus status;  // as decided last: what the API has, or what is about to be written
  DefinitionPtr definition;
  std::string revision;     // the ControllerRevision it came from; empty for an inline definition
  api::RawJson parameters;  // resolved
  Children children;
  std::set<ChildKey> gone;        // a row says that it was made, and it is proven not to exist
  std::set<ChildKey> name_taken;  // another object has its first name
  std::map<ChildKey, Refusal> refused;
  std::map<ChildKey, std::string> held;  // refused for now, as by a quota: why; it is tried at a later look
  WallTime now;

  // The child of that key; an empty one if there is none.
  const Child& child(const ChildKey& key) const;
  // The latest iteration of which anything is known, of the step, item, round and undo of the key; 0: of
  // none. A child that is gone, or was refused, was one too: it is not the one before it that counts.
  int last_iteration(const ChildKey& key) const;
};

// A child to create.
struct ChildStart {
  ChildKey key;
  std::string name;
  bool is_run = false;  // a WorkflowRun, else a Task
  Json spec;
};

// A merge patch of one child.
struct ChildPatch {
  Child child;
  Json patch;
};

// Carried out in this order: starts, patches, status.
struct RunDecision {
  std::vector<ChildStart> starts;
  std::vector<ChildPatch> patches;
  api::WorkflowRunStatus status;
  std::optional<Duration> wake_after;  // when time alone changes the decision
};

RunDecision decide(const RunSnapshot& snapshot);

}  // namespace convoke::workflow
