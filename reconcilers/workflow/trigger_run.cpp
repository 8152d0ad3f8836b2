#include "reconcilers/workflow/trigger_run.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "reconcilers/api/hash.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/revision.h"

namespace convoke::workflow {

std::string scheduled_run_name(const api::Workflow& workflow, const api::Trigger& trigger, WallTime time) {
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(time.time_since_epoch()).count();
  const std::string prefix =
      trigger.name.empty() ? workflow.meta.name : workflow.meta.name + "-" + trigger.name;
  return name_with_suffix(prefix, std::to_string(minutes));
}

std::string changed_run_name(const api::Workflow& workflow, const std::string& revision,
                             std::int64_t number) {
  constexpr std::size_t kNameHashLength = 5;
  const std::string hash = api::sha256_hex(workflow.meta.uid + "/" + revision).substr(0, kNameHashLength);
  return name_with_suffix(workflow.meta.name, "rev" + std::to_string(number) + "-" + hash);
}

std::string alternative_run_name(const api::Workflow& workflow, const std::string& name) {
  constexpr std::size_t kNameHashLength = 16;
  return name_with_suffix(workflow.meta.name,
                          api::sha256_hex(workflow.meta.uid + "/" + name).substr(0, kNameHashLength));
}

Json triggered_run(const api::Workflow& workflow, const api::Trigger& trigger, TriggeredRun run) {
  kube::ObjectMeta meta;
  meta.namespace_ = workflow.meta.namespace_;
  meta.name = std::move(run.name);
  meta.labels[api::label::kWorkflow] = fit_name(workflow.meta.name);
  meta.labels[api::label::kTrigger] = trigger.key();
  meta.annotations = std::move(run.annotations);
  meta.owner_references.push_back(owner_reference(workflow));
  Json spec = {{"workflowName", workflow.meta.name},
               {"triggeredBy", trigger.cause()},
               {"createdBy", "Workflow/" + workflow.meta.name}};
  if (!run.revision.empty()) {
    spec["revision"] = std::move(run.revision);
  }
  if (!run.parameters.empty()) {
    spec["parameters"] = std::move(run.parameters);
  }
  if (!run.event.is_null()) {
    spec["event"] = std::move(run.event);
  }
  return {{"apiVersion", api::kWorkflowRun.api_version()},
          {"kind", api::kWorkflowRun.kind},
          {"metadata", kube::meta_to_json(meta)},
          {"spec", std::move(spec)}};
}

bool is_controlled_by(const kube::ObjectMeta& meta, const std::string& uid) {
  const auto* owner = meta.controller();
  return owner != nullptr && owner->uid == uid;
}

bool has_run(const Runs& runs, const std::string& name, const std::string& owner_uid) {
  return std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
    return run->meta.name == name && is_controlled_by(run->meta, owner_uid);
  });
}

}  // namespace convoke::workflow
