#include "reconcilers/task/subtask_spec.h"

#include <set>

#include "controller/base/time_format.h"
#include "reconcilers/api/child_name.h"
#include "reconcilers/task/assignment_rule.h"

namespace convoke::task {

void add_subtask_problems(const api::TaskSpec& spec, std::vector<std::string>& problems) {
  std::set<std::string> names;
  for (const api::Subtask& subtask : spec.subtasks) {
    const std::string path = "spec.subtasks[" + subtask.name + "]";
    if (subtask.name.empty()) {
      problems.emplace_back("spec.subtasks[].name: is required");
    } else if (!names.insert(subtask.name).second) {
      problems.push_back(path + ".name: is there twice");
    }
    const auto raw = parse_json(subtask.spec.empty() ? "{}" : subtask.spec);
    const Json task = raw ? *raw : Json::object();
    const auto read = api::task_spec_from_json(task, path + ".task", problems);
    if (read.type.empty()) {
      problems.push_back(path + ".task.type: is required");
    }
    add_rule_problem(read, path + ".task", problems);
  }
  const auto count = static_cast<int>(spec.subtasks.size());
  if (count > 0 && spec.aggregation.strategy == api::AggregationStrategy::Quorum &&
      (spec.aggregation.quorum < 1 || spec.aggregation.quorum > count)) {
    problems.push_back("spec.aggregation.quorum: expected from 1 to " + std::to_string(count) +
                       ", the number of subtasks, got " + std::to_string(spec.aggregation.quorum));
  }
}

std::string subtask_name(const api::Task& whole, const api::Subtask& subtask) {
  return api::child_name(whole.meta.name, subtask.name);
}

Json subtask_manifest(const api::Task& whole, const api::Subtask& subtask) {
  kube::ObjectMeta meta;
  meta.namespace_ = whole.meta.namespace_;
  meta.name = subtask_name(whole, subtask);
  meta.labels[api::label::kParent] = api::fit_name(whole.meta.name);
  meta.owner_references.push_back(
      {api::kTask.api_version(), api::kTask.kind, whole.meta.name, whole.meta.uid, true, false});
  const auto raw = parse_json(subtask.spec);
  Json spec = raw && raw->is_object() ? *raw : Json::object();
  if (!spec.contains("priority")) {
    spec["priority"] = whole.spec.priority;
  }
  // It is later than the whole, so that it is the whole's deadline that ends both.
  spec["deadline"] = format_duration(whole.spec.deadline);
  return {{"apiVersion", api::kTask.api_version()},
          {"kind", api::kTask.kind},
          {"metadata", kube::meta_to_json(meta)},
          {"spec", std::move(spec)}};
}

const kube::OwnerReference* controlling_task(const api::Task& task) {
  const kube::OwnerReference* owner = task.meta.controller();
  const bool is_task =
      owner != nullptr && owner->kind == api::kTask.kind && owner->api_version == api::kTask.api_version();
  return is_task ? owner : nullptr;
}

}  // namespace convoke::task
