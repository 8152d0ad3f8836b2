// The Workflows of a simulation: each shape of work once, short enough to be judged by run_rules.h, and
// schedules with every policy, for schedule_rules.h.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::simulation {

inline constexpr char kGate[] = "gate";  // the name of every step that people approve

// The specs, in the order of their names.
std::vector<Json> flows();
std::string flow_name(int number);

// Those that start runs of their own.
std::vector<Json> schedules();
std::string schedule_name(int number);

}  // namespace convoke::simulation
