// How fast WorkflowRuns go on a real API server.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "tests/bench/load.h"
#include "tests/bench/shape.h"

namespace convoke::bench {

struct RunLoad {
  int count = 1;
  double rate = 0;  // runs a second; 0: as fast as possible
  int agents = 20;
  int capacity = 50;   // of each agent
  std::string prefix;  // of the runs' names
  Duration longest = std::chrono::minutes(5);
};

// Creates runs of the shape's Workflow, worked on by simulated agents, and waits until all have ended: runs
// per second, latencies from the creation of a run to the assignment of its first Task and to its end, and
// what was written by whom.
Json measure_runs(World& world, const Shape& shape, const RunLoad& load);

}  // namespace convoke::bench
