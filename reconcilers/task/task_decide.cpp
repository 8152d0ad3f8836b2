#include "reconcilers/task/task_decide.h"

#include "reconcilers/api/workflow_run.h"
#include "reconcilers/task/decision.h"
#include "reconcilers/task/subtask_spec.h"

namespace convoke::task {

TaskDecision decide(const TaskSnapshot& snapshot, const TaskTiming& timing) {
  return Decision(snapshot, timing).run();
}

bool is_part(const api::Task& task) {
  const kube::OwnerReference* owner = task.meta.controller();
  const bool is_step = owner != nullptr && owner->kind == api::kWorkflowRun.kind &&
                       owner->api_version == api::kWorkflowRun.api_version();
  return is_step || controlling_task(task) != nullptr;
}

}  // namespace convoke::task
