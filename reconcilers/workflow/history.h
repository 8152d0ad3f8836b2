// What a Workflow no longer keeps: runs beyond its history limits, revisions that nothing needs. Pure.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reconcilers/api/workflow_run.h"

namespace convoke::workflow {

inline constexpr std::size_t kKeptRevisions = 10;

using Runs = std::vector<std::shared_ptr<const api::WorkflowRun>>;
using Revisions = std::vector<std::shared_ptr<const api::ControllerRevision>>;

// Finished runs to delete, the oldest first. Succeeded ones are counted apart from the others. Runs that
// a tool applies are left alone: it would make them again, and so run them again (reconcilers/api/applied.h).
Runs runs_to_delete(const api::HistoryLimits& limits, const Runs& runs);

// Revisions to delete, the oldest first: all but the current one, those of live runs, and the newest of the
// rest.
Revisions revisions_to_delete(const std::string& current, const Revisions& revisions, const Runs& runs);

}  // namespace convoke::workflow
