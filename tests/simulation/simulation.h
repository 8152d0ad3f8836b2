// Convoke under virtual time and faults: two operators, a few agents and services, schedules, people who
// create, change and delete, and everything that goes wrong with networks, processes and the API server, all
// from one seed. Start here; observer.h says what must hold.
//
//   const Outcome outcome = simulate({.seed = 7});   // outcome.violations is empty, or Convoke has a defect
//
// The same seed gives the same run, to the last switch between threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/base/clock.h"

namespace convoke::simulation {

struct SimulationOptions {
  std::uint64_t seed = 1;
  int steps = 60;        // things that happen before the faults stop
  bool verbose = false;  // what happens, and the operators' logs, on standard error
};

struct Outcome {
  std::vector<std::string> violations;
  std::size_t tasks = 0;
  std::size_t requests = 0;
  std::size_t task_writes = 0;
  Duration virtual_time = {};
};

Outcome simulate(const SimulationOptions& options);

}  // namespace convoke::simulation
