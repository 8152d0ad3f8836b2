#include "reconcilers/api/caches.h"

#include <vector>

namespace convoke::api {
namespace {

using Values = std::vector<std::string>;

Values only_if(bool found, std::string value) {
  return found ? Values{std::move(value)} : Values{};
}

bool is_live(const Task& task) {
  return is_live(task.status.phase);
}

Values agent_of(const Task& task) {
  return only_if(is_live(task) && !task.status.agent_name.empty(),
                 task.meta.namespace_ + "/" + task.status.agent_name);
}

Values wanted_agent_of(const Task& task) {
  const bool wants_another = is_live(task) && task.spec.subtasks.empty() && !task.spec.agent_name.empty() &&
                             task.spec.agent_name != task.status.agent_name;
  return only_if(wants_another, task.meta.namespace_ + "/" + task.spec.agent_name);
}

Values key_of(const Task& task) {
  return only_if(!task.spec.idempotency_key.empty(), task.meta.namespace_ + "/" + task.spec.idempotency_key);
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
  tasks.add_index(index::kTasksByParent, [](const Task& task) { return owner_of(task.meta, kTask); });
  tasks.add_index(index::kTasksByKey, key_of);
  tasks.add_index(index::kTasksByWantedAgent, wanted_agent_of);
  runs.add_index(index::kRunsByWorkflow, workflow_of);
  runs.add_index(index::kRunsByParent,
                 [](const WorkflowRun& run) { return owner_of(run.meta, kWorkflowRun); });
  revisions.add_index(index::kRevisionsByOwner,
                      [](const ControllerRevision& revision) { return owner_of(revision.meta, kWorkflow); });
}

}  // namespace convoke::api
