// What to do next for one Workflow: accept its definition or say what is wrong with it, keep it as a
// revision, fire its triggers, and forget old runs and revisions. Pure; safe from every thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/history.h"
#include "reconcilers/workflow/run_events.h"
#include "reconcilers/workflow/trigger_decide.h"

namespace convoke::workflow {

using WorkflowPtr = std::shared_ptr<const api::Workflow>;

struct WorkflowSnapshot {
  WorkflowPtr workflow;
  Result<DefinitionPtr> definition;                // checked
  Runs runs;                                       // of this Workflow, in any phase
  Revisions revisions;                             // that it owns
  bool revision_name_taken = false;                // a foreign object has the revision's first name
  std::set<std::string> run_names_taken = {};      // names of runs to create that foreign objects have
  std::map<std::string, Error> runs_refused = {};  // by trigger: why the API server does not take its run
  WallTime now;
};

// Carried out in this order: the revision, the new runs, the cancellations, the status, the deletions.
struct WorkflowDecision {
  std::optional<api::ControllerRevision> create_revision;
  // An old definition is the current one again: its revision gets the next number.
  std::shared_ptr<const api::ControllerRevision> renumber_revision;
  std::int64_t revision_number = 0;
  std::vector<RunStart> create_runs;
  Runs cancel_runs;
  std::optional<WallTime> wake;  // when a trigger fires next
  api::WorkflowStatus status;
  Runs delete_runs;
  Revisions delete_revisions;
};

WorkflowDecision decide(const WorkflowSnapshot& snapshot);

// True if only counts and the list of past events differ: what may wait to be written. Runs are deleted once
// it is.
bool differs_in_counts_only(const api::WorkflowStatus& a, const api::WorkflowStatus& b);

// To be recorded once `after` is written over `before`.
std::vector<EventNote> events_between(const api::WorkflowStatus& before, const api::WorkflowStatus& after);

}  // namespace convoke::workflow
