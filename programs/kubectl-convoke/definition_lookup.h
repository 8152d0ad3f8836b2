// The definition that a run executes, or would: inline, its ControllerRevision, or its Workflow as it is now.
//
// Errors: those of Cluster.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "programs/kubectl-convoke/cluster.h"

namespace convoke::plugin {

struct LookedUp {
  std::string name;      // of the Workflow, or of the run
  Json spec;             // null: it is not there any more
  std::string revision;  // empty: inline, or as the Workflow is now
};
Result<LookedUp> definition_of_run(const Cluster& cluster, const Json& run);

}  // namespace convoke::plugin
