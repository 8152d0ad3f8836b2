#include "reconcilers/api/caches.h"

#include <vector>

namespace convoke::api {
namespace {

using Values = std::vector<std::string>;

Values only_if(bool found, std::string value) {
  return found ? Values{std::move(value)} : Values{};
}

Values agent_of(const Task& task) {
  const bool live = task.status.phase == TaskPhase::Assigned || task.status.phase == TaskPhase::Running;
  return only_if(live && !task.status.agent_name.empty(),
                 task.meta.namespace_ + "/" + task.status.agent_name);
}

// The uid of the controlling owner, if it is of that kind of ours.
Values owner_of(const kube::ObjectMeta& meta, const kube::ResourceType& type) {
  const kube::OwnerReference* owner = meta.controller();
  const bool ours = owner != nullptr && owner->kind == type.kind && owner->api_version == type.api_version();
  return only_if(ours, ours ? owner->uid : "");
}

Values workflow_of(const WorkflowRun& run) {
  return only_if(!run.spec.workflow_name.empty(), run.meta.namespace_ + "/" + run.spec.workflow_name);
}

}  // namespace

Caches::Caches() {
  tasks.add_index(index::kTasksByAgent, agent_of);
  tasks.add_index(index::kTasksByRun, [](const Task& task) { return owner_of(task.meta, kWorkflowRun); });
  runs.add_index(index::kRunsByWorkflow, workflow_of);
  revisions.add_index(index::kRevisionsByOwner,
                      [](const ControllerRevision& revision) { return owner_of(revision.meta, kWorkflow); });
}

}  // namespace convoke::api
