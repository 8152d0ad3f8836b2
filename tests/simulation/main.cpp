// convoke-simulate: runs seeds one after the other and says which of them break a rule. hack/simulate calls
// it.

#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

#include "controller/base/time_format.h"
#include "tests/simulation/simulation.h"

int main(int argc, char** argv) {
  using namespace convoke;
  CLI::App app("Simulates Convoke under faults; exit status 1 if a seed broke a rule");
  simulation::SimulationOptions options;
  std::uint64_t from = 1;
  std::uint64_t count = 1;
  app.add_option("--seed", from, "the first seed");
  app.add_option("--count", count, "how many seeds");
  app.add_option("--steps", options.steps, "things that happen before the faults stop");
  bool first = false;
  app.add_flag("--first", first, "stop at the first seed that broke a rule");
  app.add_flag("--verbose", options.verbose, "what happens, and the operators' logs, on standard error");
  CLI11_PARSE(app, argc, argv);

  std::uint64_t broken = 0;
  std::size_t tasks = 0;
  std::size_t requests = 0;
  Duration virtual_time{};
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    options.seed = seed;
    const auto outcome = simulation::simulate(options);
    tasks += outcome.tasks;
    requests += outcome.requests;
    virtual_time += outcome.virtual_time;
    if (outcome.violations.empty()) continue;
    ++broken;
    std::cout << "seed " << seed << ":\n";
    for (const auto& violation : outcome.violations) std::cout << "  " << violation << "\n";
    std::cout << std::flush;
    if (first) break;
  }
  std::cout << count << " seeds, " << tasks << " Tasks, " << requests << " requests, "
            << human_duration(virtual_time) << " of virtual time: " << broken << " broken" << std::endl;
  return broken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
