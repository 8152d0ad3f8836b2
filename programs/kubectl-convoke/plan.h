// `plan`: what a definition would do now: its steps in the order in which they can start, which agents of the
// cluster qualify for each, by the operator's own filter, and what the run is expected to cost and take.
//
// make_plan() and plan_json() are pure. Errors: Invalid for a definition or parameters that the operator
// would refuse; those of Cluster and of files.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/qualify.h"
#include "programs/kubectl-convoke/workflow_view.h"

namespace convoke::plugin {

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct StepPlan {
  StepView step;
  std::size_t layer = 0;
  std::string task_type;
  std::int64_t items = 1;               // of a fan-out
  bool items_known = true;              // false: they come from the results of other steps
  std::string not_known;                // why its agents cannot be told yet; empty: they can
  std::optional<Qualification> agents;  // of a task; absent offline
  bool is_estimated = false;            // duration and cost are known or assumed
  Duration duration{};                  // of all its items, with its parallelism
  double cost = 0;
  bool is_critical = false;  // the run is as long as the chain of these
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct Plan {
  std::string workflow;
  std::string mode;
  Json parameters;
  std::vector<StepPlan> steps;  // by layer
  bool offline = true;
  Duration duration{};  // along the critical path
  double cost = 0;
  bool is_complete = true;   // false: some steps are not in the sums
  bool any_assumed = false;  // some durations were never measured
  int without_agents = 0;    // steps that nobody could take now
};

// `agents`: those of `namespace_`; absent: offline.
Result<Plan> make_plan(const std::string& name, const std::string& namespace_, const Json& spec,
                       const Json& given, const std::optional<std::vector<api::Agent>>& agents);

Json plan_json(const Plan& plan);
std::vector<std::string> plan_lines(const Plan& plan, const Style& style);

}  // namespace convoke::plugin
