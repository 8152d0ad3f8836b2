#include "programs/kubectl-convoke/definition_lookup.h"

#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {

Result<LookedUp> definition_of_run(const Cluster& cluster, const Json& run) {
  const auto workflow = text_at(run, "/spec/workflowName");
  if (workflow.empty()) return LookedUp{name_of(run), value_at(run, "/spec/workflowSpec"), ""};
  auto revision = text_at(run, "/status/revision");
  if (revision.empty()) revision = text_at(run, "/spec/revision");
  if (!revision.empty()) {
    const auto kept = cluster.find(api::kControllerRevision, revision);
    // Who may read runs need not be allowed to read revisions: the Workflow as it is now is mostly the same.
    if (!kept && kept.error().code != ErrorCode::Forbidden) return kept.error();
    if (kept && *kept) return LookedUp{workflow, value_at(**kept, "/data"), revision};
  }
  const auto current = cluster.find(api::kWorkflow, workflow);
  if (!current) return current.error();
  return LookedUp{workflow, *current ? value_at(**current, "/spec") : Json(), ""};
}

}  // namespace convoke::plugin
