#include "reconcilers/workflow/run_scope.h"

#include <utility>

namespace convoke::workflow {
namespace {

Json object_of(const api::RawJson& text) {
  auto parsed = parse_json(text);
  return parsed && parsed->is_object() ? std::move(*parsed) : Json::object();
}

}  // namespace

RunScope::RunScope(const RunSnapshot& snapshot, const Rows& rows)
    : snapshot_(snapshot), rows_(rows), params_(object_of(snapshot.parameters)) {
  const auto& run = *snapshot.run;
  run_ = {{"name", run.meta.name}, {"namespace", run.meta.namespace_}, {"uid", run.meta.uid}};
  // A run with an inline definition is its own workflow.
  workflow_ = {{"name", run.spec.workflow_name.empty() ? run.meta.name : run.spec.workflow_name}};
}

void RunScope::select_steps(const std::vector<std::size_t>& steps) {
  steps_ = Json::object();
  for (const std::size_t step : steps) {
    steps_[rows_[step].name] = result_of(step);
  }
}

Json RunScope::result_of(std::size_t step) const {
  Json result = {{"phase", api::to_string(rows_[step].phase)}};
  const auto& task = snapshot_.tasks[step];
  if (task && rows_[step].phase == api::StepPhase::Succeeded) {
    result["outputs"] = object_of(task->status.report.outputs);
  }
  return result;
}

const Json* RunScope::find(const std::string& root) const {
  if (root == "params") {
    return &params_;
  }
  if (root == "steps") {
    return &steps_;
  }
  if (root == "run") {
    return &run_;
  }
  return root == "workflow" ? &workflow_ : nullptr;
}

}  // namespace convoke::workflow
