// Which steps may start now, and the Task that each becomes. Pure.
#pragma once

#include <vector>

#include "reconcilers/workflow/run_rows.h"

namespace convoke::workflow {

// Walks the steps once, in their order. Steps behind a failure are Skipped; a step whose templates cannot be
// expanded is Failed, without a Task. Of the others that are free to start, as many as `parallelism` leaves
// room for are returned; their rows stay Pending.
std::vector<TaskStart> plan_starts(const RunSnapshot& snapshot, Rows& rows);

// The manifest to create: owned by the run, labelled for people and for the reconciler.
Json task_manifest(const RunSnapshot& snapshot, const TaskStart& start);

// The name of a step's Task: the second one, if a foreign object has the first.
std::string task_name(const RunSnapshot& snapshot, std::size_t step);

}  // namespace convoke::workflow
