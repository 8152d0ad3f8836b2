#include "reconcilers/workflow/run_child.h"

#include <charconv>

#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

std::string part_of(const std::string& step, const ChildKey& key) {
  std::string part = step;
  if (key.item >= 0) {
    part += "-" + std::to_string(key.item);
  }
  if (key.iteration > 0) {
    part += "-" + std::to_string(key.iteration);
  }
  if (key.undo) {
    part += "-undo";
  }
  if (key.round > 0) {
    part += "-r" + std::to_string(key.round);
  }
  return part;
}

// The number in that label, or `absent`; nothing if it is not one that key_labels() writes.
std::optional<int> number_of(const kube::ObjectMeta& meta, const char* label, int absent) {
  const auto& text = meta.label(label);
  if (text.empty()) {
    return absent;
  }
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool good = error == std::errc() && end == text.data() + text.size() && number > absent;
  return good ? std::optional(number) : std::nullopt;
}

}  // namespace

bool Child::ended() const {
  if (task) {
    return api::is_terminal(task->status.phase);
  }
  const bool is_asked = run->spec.retry_from.round > run->status.round && !run->meta.being_deleted() &&
                        run->status.observed_generation != run->meta.generation;
  return api::is_terminal(run->status.phase) && !is_asked;
}

api::StepPhase Child::phase() const {
  if (task) {
    return task->status.phase == api::TaskPhase::Succeeded   ? api::StepPhase::Succeeded
           : task->status.phase == api::TaskPhase::Cancelled ? api::StepPhase::Cancelled
                                                             : api::StepPhase::Failed;
  }
  return run->status.phase == api::RunPhase::Succeeded   ? api::StepPhase::Succeeded
         : run->status.phase == api::RunPhase::Cancelled ? api::StepPhase::Cancelled
                                                         : api::StepPhase::Failed;
}

std::string first_name(const api::WorkflowRun& run, const std::string& step, const ChildKey& key) {
  return child_name(run.meta.name, part_of(step, key));
}

std::string second_name(const api::WorkflowRun& run, const std::string& step, const ChildKey& key) {
  const std::string part = part_of(step, key);
  // The parts of the key are told apart here: item 3 of "build" is not the step "build-3".
  const std::string identity = key == ChildKey{key.step}
                                   ? step
                                   : step + "/" + std::to_string(key.item) + "/" +
                                         std::to_string(key.iteration) + "/" + std::to_string(key.round) +
                                         (key.undo ? "/undo" : "");
  return alternative_child_name(run.meta.name, run.meta.uid, part, identity);
}

std::map<std::string, std::string> key_labels(const std::string& step, const ChildKey& key) {
  std::map<std::string, std::string> labels = {{api::label::kStep, step}};
  if (key.item >= 0) {
    labels[api::label::kItem] = std::to_string(key.item);
  }
  if (key.iteration > 0) {
    labels[api::label::kIteration] = std::to_string(key.iteration);
  }
  if (key.round > 0) {
    labels[api::label::kRound] = std::to_string(key.round);
  }
  if (key.undo) {
    labels[api::label::kUndo] = "true";
  }
  return labels;
}

std::optional<ChildKey> key_of(const api::WorkflowRun& run, const Definition& definition,
                               const kube::ObjectMeta& child) {
  const auto& step_name = child.label(api::label::kStep);
  const auto step = definition.find(step_name);
  const auto item = number_of(child, api::label::kItem, -1);
  const auto iteration = number_of(child, api::label::kIteration, 0);
  const auto round = number_of(child, api::label::kRound, 0);
  if (!step || !item || !iteration || !round) {
    return std::nullopt;
  }
  const ChildKey key{*step, *item, *iteration, *round, child.label(api::label::kUndo) == "true"};
  const bool named =
      child.name == first_name(run, step_name, key) || child.name == second_name(run, step_name, key);
  return named ? std::optional(key) : std::nullopt;
}

}  // namespace convoke::workflow
