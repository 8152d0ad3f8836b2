// Which step comes next in a graph: those whose dependencies have ended as they ask for. Pure.
#pragma once

#include "reconcilers/workflow/run_plan.h"

namespace convoke::workflow {

// Walks the steps of the workflow (or those of `finally`) once, in their order: running steps go on, and
// pending ones start, or are Skipped behind a failure or another outcome than they ask for.
void walk_graph(Plan& plan, bool finally);

}  // namespace convoke::workflow
