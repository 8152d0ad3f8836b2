#include "reconcilers/workflow/history.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "controller/base/time_format.h"
#include "reconcilers/api/applied.h"

namespace convoke::workflow {
namespace {

// A run that is a step of another goes with that.
bool is_step(const api::WorkflowRun& run) {
  const auto* owner = run.meta.controller();
  return owner != nullptr && owner->kind == api::kWorkflowRun.kind;
}

// Leaves the oldest runs, beyond `limit` newer ones, oldest first.
void keep_beyond(Runs& runs, int limit) {
  const auto age = [](const auto& run) {
    return std::tie(run->status.completed_at, run->meta.creation_timestamp, run->meta.name);
  };
  std::sort(runs.begin(), runs.end(), [&](const auto& a, const auto& b) { return age(a) < age(b); });
  const auto kept = std::min(runs.size(), static_cast<std::size_t>(std::max(limit, 0)));
  runs.resize(runs.size() - kept);
}

}  // namespace

Runs runs_to_delete(const api::HistoryLimits& limits, const Runs& runs) {
  Runs succeeded;
  Runs failed;
  for (const auto& run : runs) {
    if (!api::is_terminal(run->status.phase) || run->meta.being_deleted() ||
        api::is_applied_by_a_tool(run->meta) || is_step(*run)) {
      continue;
    }
    (run->status.phase == api::RunPhase::Succeeded ? succeeded : failed).push_back(run);
  }
  keep_beyond(succeeded, limits.succeeded);
  keep_beyond(failed, limits.failed);
  succeeded.insert(succeeded.end(), failed.begin(), failed.end());
  return succeeded;
}

std::optional<Duration> until_removal(const api::WorkflowRun& run, WallTime now) {
  const bool is_kept = !run.spec.workflow_name.empty() || is_step(run) || api::is_applied_by_a_tool(run.meta);
  const auto ended = parse_time(run.status.completed_at);
  if (!ended || (is_kept && !run.spec.ttl_after_finished)) {
    return {};
  }
  const bool succeeded = run.status.phase == api::RunPhase::Succeeded;
  return run.spec.ttl_after_finished.value_or(succeeded ? kTtlAfterSuccess : kTtlAfterFailure) -
         (now - *ended);
}

Revisions revisions_to_delete(const std::string& current, const Revisions& revisions, const Runs& runs) {
  std::set<std::string> needed = {current};
  for (const auto& run : runs) {
    if (run->status.phase != api::RunPhase::Succeeded) {  // one that failed may be retried
      needed.insert(run->status.revision);
      needed.insert(run->spec.revision);
    }
  }
  Revisions unused;
  std::copy_if(revisions.begin(), revisions.end(), std::back_inserter(unused), [&](const auto& revision) {
    return needed.count(revision->meta.name) == 0 && !revision->meta.being_deleted();
  });
  std::sort(unused.begin(), unused.end(),
            [](const auto& a, const auto& b) { return a->revision < b->revision; });
  unused.resize(unused.size() - std::min(unused.size(), kKeptRevisions));
  return unused;
}

}  // namespace convoke::workflow
