// `plan`: what a definition would do now: its steps in the order in which they can start, which agents of the
// cluster qualify for each, by the operator's own filter, and what the run is expected to cost and take.
//
// A step that runs another Workflow is planned with all that is in that one, where its definition is known.
//
// plan_json() and plan_lines() are pure, and make_plan() is but for what it asks of Surroundings. Errors:
// Invalid for a definition or parameters that the operator would refuse. Parameters that are missing are no
// error: what hangs on them is not known.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/qualify.h"
#include "programs/kubectl-convoke/workflow_view.h"

namespace convoke::plugin {

struct Plan;

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct StepPlan {
  StepView step;
  std::size_t layer = 0;
  std::string task_type;
  std::int64_t items = 1;               // of a fan-out
  bool items_known = true;              // false: they come from the results of other steps
  std::string not_known;                // why its agents cannot be told yet; empty: they can
  std::optional<Qualification> agents;  // of a task; absent offline
  std::string workflow;                 // that it runs
  std::shared_ptr<const Plan> below;    // of that; null: none, or it is not known
  std::string below_not_known;          // why
  bool is_estimated = false;            // duration and cost are known or assumed
  Duration duration{};                  // of all its items, with its parallelism
  double cost = 0;
  bool is_critical = false;  // the run is as long as the chain of these
};

struct MissingParameter {
  std::string name;
  std::string type;
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct Plan {
  std::string workflow;
  std::string namespace_;
  std::string revision_not_planned;  // that a run names, where it could not be read; empty: all is well
  std::string mode;
  Json parameters;
  std::vector<MissingParameter> missing;  // required, and not given
  std::vector<StepPlan> steps;            // by layer
  bool offline = true;
  Duration duration{};  // along the critical path
  double cost = 0;
  bool is_complete = true;   // false: some steps are not in the sums, or may run more than once
  bool any_assumed = false;  // some durations were never measured
  int without_agents = 0;    // steps that nobody could take now
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct PlanRequest {
  std::string name;        // of the Workflow, or of the run
  Json spec;               // the WorkflowSpec
  Json parameters;         // that are given; null: none
  bool is_inline = false;  // a run's own definition, which no step can run
};

// The spec of a Workflow; nothing: there is none.
using FindWorkflow = std::function<Result<std::optional<Json>>(const std::string& name)>;

struct Surroundings {
  std::string namespace_;
  std::optional<std::vector<api::Agent>> agents;  // absent: offline
  FindWorkflow find_workflow = {};                // empty: no other Workflow is known
  FindWorkflow find_revision = {};                // by the name of a ControllerRevision; empty: none is known
};

Result<Plan> make_plan(const PlanRequest& request, const Surroundings& surroundings);

Json plan_json(const Plan& plan);
std::vector<std::string> plan_lines(const Plan& plan, const Style& style);

}  // namespace convoke::plugin
