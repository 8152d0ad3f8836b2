// What is no longer kept: runs beyond the history limits of their Workflow, runs whose time is over,
// revisions that nothing needs. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/workflow_run.h"

namespace convoke::workflow {

inline constexpr std::size_t kKeptRevisions = 10;

// How long a run that has no Workflow stays, if it does not say.
inline constexpr Duration kTtlAfterSuccess = std::chrono::hours(24);
inline constexpr Duration kTtlAfterFailure = std::chrono::hours(7 * 24);

using Runs = std::vector<std::shared_ptr<const api::WorkflowRun>>;
using Revisions = std::vector<std::shared_ptr<const api::ControllerRevision>>;

// Finished runs to delete, the oldest first. Succeeded ones are counted apart from the others. Runs that
// a tool applies are left alone: it would make them again, and so run them again (reconcilers/api/applied.h).
Runs runs_to_delete(const api::HistoryLimits& limits, const Runs& runs);

// How long a run that has ended stays: none or less, it is to be deleted. Nothing: something else says when
// it goes, which is its Workflow's history limits, the run that it is a step of, or the tool that applied it.
std::optional<Duration> until_removal(const api::WorkflowRun& run, WallTime now);

// Revisions to delete, the oldest first: all but the current one, those of live runs, and the newest of the
// rest.
Revisions revisions_to_delete(const std::string& current, const Revisions& revisions, const Runs& runs);

}  // namespace convoke::workflow
