// `run`: starts a run of a Workflow. The parameters become what the Workflow says they are, and are checked
// by the operator's own code before anything is created.
//
// typed_parameters() is pure. Errors: Invalid for wrong parameters, naming each; those of Cluster.
#pragma once

#include <string>
#include <vector>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/tree.h"

namespace convoke::plugin {

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct StartRequest {
  std::string workflow;
  std::vector<std::string> parameters;  // "key=value"
  Json parameters_of_file;              // null: none; what `parameters` says goes before it
  std::string name;                     // empty: WORKFLOW-xxxxx
  std::string revision;
  bool dry_run = false;  // only checks
  bool wait = false;
};

// `texts` ("key=value") over `base`. A String stays as it was written; what else is read as YAML.
Result<Json> typed_parameters(const Json& workflow_spec, const Json& base,
                              const std::vector<std::string>& texts);

Result<int> start_run(const Context& context, const StartRequest& request, const TreeOptions& options);

}  // namespace convoke::plugin
