// How fast the subtasks of a Task reach their agents on a real API server.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "tests/bench/load.h"

namespace convoke::bench {

// `rounds` Tasks of `parts` subtasks each, one after the other: from just before the Task is created until a
// watch has shown every subtask Assigned.
Json measure_subtasks(World& world, int rounds, int parts, const std::string& prefix);

}  // namespace convoke::bench
