// `run` and `rerun`: start a run of a Workflow, or one like an earlier run. The parameters become what the
// definition says they are, and are checked by the operator's own code before anything is created.
//
// typed_parameters() is pure. Errors: Invalid for wrong parameters, naming each; those of Cluster.
#pragma once

#include <string>
#include <vector>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/tree.h"

namespace convoke::plugin {

struct StartOptions {
  std::vector<std::string> parameters;  // "key=value"
  std::string name;                     // empty: WORKFLOW-xxxxx
  std::string revision;                 // a ControllerRevision; empty: the current one
  bool dry_run = false;                 // only checks
  bool wait = false;
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct StartRequest : StartOptions {
  std::string workflow;
  Json parameters_of_file;  // null: none; what `parameters` says goes before it
};

struct RerunRequest : StartOptions {  // `parameters`: what is to be other than in the run
  std::string run;
  bool same_revision = false;  // the definition that the run executed
};

// `texts` ("key=value") over `base`. A String stays as it was written; what else is read as YAML.
Result<Json> typed_parameters(const Json& workflow_spec, const Json& base,
                              const std::vector<std::string>& texts);

Result<int> start_run(const Context& context, const StartRequest& request, const TreeOptions& options);
// The new run has the definition, the parameters and the event of the earlier one, and nothing of what was
// decided about that: no cancellation, approvals or retries.
Result<int> rerun(const Context& context, const RerunRequest& request, const TreeOptions& options);

}  // namespace convoke::plugin
