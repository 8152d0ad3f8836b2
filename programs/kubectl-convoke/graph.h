// `graph`: the steps of a definition, or of a run with its phases as colours, for Mermaid or Graphviz.
//
// draw() is pure. Errors: those of Cluster and of the file.
#pragma once

#include <map>
#include <string>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/workflow_view.h"

namespace convoke::plugin {

enum class GraphFormat { Mermaid, Dot };

// `phases`: by step; empty: none is painted.
std::string draw(const WorkflowView& view, const std::map<std::string, std::string>& phases,
                 GraphFormat format);

}  // namespace convoke::plugin
