#include "reconcilers/workflow/run_scope.h"

#include <chrono>
#include <utility>

#include "reconcilers/workflow/step_result.h"

namespace convoke::workflow {
namespace {

cel::Value timestamp_of(WallTime time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  return cel::Value::from_timestamp(
      {seconds.count(), static_cast<std::int32_t>(std::chrono::nanoseconds(since - seconds).count())});
}

}  // namespace

RunScope::RunScope(const RunSnapshot& snapshot, const Rows& rows)
    : snapshot_(snapshot), rows_(rows), params_(object_of(snapshot.parameters)) {
  const auto& run = *snapshot.run;
  run_ = {{"name", run.meta.name}, {"namespace", run.meta.namespace_}, {"uid", run.meta.uid}};
  if (!run.spec.event.empty()) {
    event_ = object_of(run.spec.event);
  }
  set_outcome(api::RunPhase::Running, "", "");
  // A run with an inline definition is its own workflow.
  workflow_ = {{"name", run.spec.workflow_name.empty() ? run.meta.name : run.spec.workflow_name}};
}

void RunScope::select_steps(const std::vector<std::size_t>& steps) {
  steps_ = Json::object();
  for (const std::size_t step : steps) {
    steps_[rows_[step].name] = step_result(snapshot_, rows_, step);
  }
}

void RunScope::set_step(std::size_t step, Json result) {
  steps_[rows_[step].name] = std::move(result);
}

void RunScope::set_outcome(api::RunPhase phase, const std::string& reason, const std::string& message) {
  run_["phase"] = api::to_string(phase);
  run_["reason"] = reason;
  run_["message"] = message;
}

void RunScope::clear_locals() {
  locals_.clear();
  now_.reset();
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
  if (root == "workflow") {
    return &workflow_;
  }
  const auto local = locals_.find(root);
  if (local != locals_.end()) {
    return &local->second;
  }
  // What started the run, where a step does not wait for an event of its own.
  return root == "event" && event_ ? &*event_ : nullptr;
}

std::optional<cel::Value> RunScope::find(std::string_view root) const {
  if (root == "now" && now_) {
    return timestamp_of(*now_);
  }
  const Json* found = find(std::string(root));
  return found == nullptr ? std::nullopt : std::optional(cel::Value::from_json(*found));
}

}  // namespace convoke::workflow
