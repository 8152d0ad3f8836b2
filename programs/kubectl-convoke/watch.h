// `watch`: a run as it goes on. On a terminal its tree is drawn again and again; elsewhere each change is one
// line (with -o json, one JSON object).
//
// Errors: those of Cluster; a broken connection is none, it is waited out.
#pragma once

#include <string>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/tree.h"

namespace convoke::plugin {

// Until the run has ended: kDone if it succeeded, kSaysNo if it did not, kInterrupted.
Result<int> watch_run(const Context& context, const std::string& run, const TreeOptions& options);

}  // namespace convoke::plugin
