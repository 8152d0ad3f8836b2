#include "reconcilers/workflow/step_result.h"

#include <utility>

#include "reconcilers/workflow/approval_step.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/wait_step.h"

namespace convoke::workflow {
namespace {

Json outputs_of_items(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step) {
  Json outputs = Json::array();
  const auto items = ItemPhases::parse(row.items);
  for (std::size_t item = 0; items && item < items->size(); ++item) {
    const auto& child = item_child(snapshot, row, step, static_cast<int>(item));
    outputs.push_back(child ? object_of(child.outputs()) : Json::object());
  }
  return outputs;
}

Json outputs_of(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t i) {
  const auto& step = snapshot.definition->step(i);
  if (step.for_each) {
    return outputs_of_items(snapshot, row, i);
  }
  if (step.approval) {
    return approval_outputs(snapshot, row);
  }
  if (step.wait) {
    return wait_outputs(snapshot, row, i);
  }
  const auto& child = snapshot.child({i, -1, row.iteration, row.round, false});
  return child ? object_of(child.outputs()) : Json();
}

}  // namespace

Json object_of(const api::RawJson& text) {
  auto parsed = parse_json(text);
  return parsed && parsed->is_object() ? std::move(*parsed) : Json::object();
}

Json step_result(const RunSnapshot& snapshot, const Rows& rows, std::size_t step) {
  const auto& row = rows[step];
  Json result = {{"phase", api::to_string(row.phase)}, {"reason", row.reason}, {"message", row.message}};
  if (has_outputs(row)) {
    if (auto outputs = outputs_of(snapshot, row, step); !outputs.is_null()) {
      result["outputs"] = std::move(outputs);
    }
  }
  return result;
}

const Child& item_child(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step, int item) {
  auto key = item_key(snapshot, row, step, item);
  while (key.round > 0 && !snapshot.child(key)) {
    --key.round;
    key.iteration = snapshot.last_iteration(key);
  }
  return snapshot.child(key);
}

}  // namespace convoke::workflow
