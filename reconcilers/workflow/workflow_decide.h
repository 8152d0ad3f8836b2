// What to do next for one Workflow: accept its definition or say what is wrong with it, keep it as a
// revision, fire the Create trigger once, and forget old runs and revisions. Pure; safe from every thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/history.h"
#include "reconcilers/workflow/run_events.h"

namespace convoke::workflow {

using WorkflowPtr = std::shared_ptr<const api::Workflow>;

struct WorkflowSnapshot {
  WorkflowPtr workflow;
  Result<DefinitionPtr> definition;  // checked
  Runs runs;                         // of this Workflow, in any phase
  Revisions revisions;               // that it owns
  bool revision_name_taken = false;  // a foreign object has the revision's first name
  bool run_name_taken = false;       // a foreign object has the created run's first name
  std::optional<Error> run_refused;  // the API server refuses the run that the trigger makes
  WallTime now;
};

// Carried out in this order: the revision, the run, the status, the deletions.
struct WorkflowDecision {
  std::optional<api::ControllerRevision> create_revision;
  // An old definition is the current one again: its revision gets the next number.
  std::shared_ptr<const api::ControllerRevision> renumber_revision;
  std::int64_t revision_number = 0;
  std::optional<Json> create_run;
  api::WorkflowStatus status;
  Runs delete_runs;
  Revisions delete_revisions;
};

WorkflowDecision decide(const WorkflowSnapshot& snapshot);

// True if only counts differ: what may wait to be written.
bool differs_in_counts_only(const api::WorkflowStatus& a, const api::WorkflowStatus& b);

// To be recorded once `after` is written over `before`.
std::vector<EventNote> events_between(const api::WorkflowStatus& before, const api::WorkflowStatus& after);

}  // namespace convoke::workflow
