// The Workflows whose runs the benchmark measures.
#pragma once

#include <string>

#include "controller/kube/json.h"

namespace convoke::bench {

struct Shape {
  std::string workflow;  // its name
  Json spec;             // of the Workflow; no triggers, and a history that deletes nothing
  int tasks = 0;         // that one run of it makes
};

// `kind`: "chain" of `size` steps, each after the one before; "fan-out" of one step over `size` items;
// "graph" of `size` steps in layers of fifty, each after two of the layer before. At most `parallelism` Tasks
// at once. Ends the program if there is no such kind.
Shape make_shape(const std::string& kind, int size, int parallelism);

}  // namespace convoke::bench
