// What the operator would refuse of a Workflow, all of it: the definition, its triggers, and what it would
// refuse of the Tasks of its steps, if that is known already. For `lint`, and for `plan` before it plans.
//
// Pure, safe from every thread. Errors: problems, each "FIELD: what is wrong"; of what the operator checks in
// one go, which is the definition and the triggers, the first only.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/workflow/definition.h"

namespace convoke::plugin {

struct OperatorCheck {
  workflow::DefinitionPtr definition;  // null if it is refused
  std::vector<std::string> problems;   // also those of triggers and rules, with which there is a definition
};

enum class Triggers { Checked, Ignored };  // ignored: those of a run's own workflowSpec

// `spec` is a WorkflowSpec, `path` is where it stands: "spec" or "spec.workflowSpec".
OperatorCheck check_as_operator(const Json& spec, const std::string& path = "spec",
                                Triggers triggers = Triggers::Checked);

}  // namespace convoke::plugin
