// The run reconciler's handlers: which change wakes which run.
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_reconciler.h"

namespace convoke::workflow {
namespace {

int priority_of(bool initial) {
  return initial ? runtime::kPriorityLow : runtime::kPriorityNormal;
}

const kube::OwnerReference* controlling_run(const kube::ObjectMeta& meta) {
  const auto* owner = meta.controller();
  const bool is_run = owner != nullptr && owner->kind == api::kWorkflowRun.kind &&
                      owner->api_version == api::kWorkflowRun.api_version();
  return is_run ? owner : nullptr;
}

// As far as a run cares: a Task that can still be suspended, one that an agent has, one that ended.
int stage_of(api::TaskPhase phase) {
  if (api::is_terminal(phase)) {
    return 2;
  }
  return phase == api::TaskPhase::Pending || phase == api::TaskPhase::Queued ? 0 : 1;
}

bool matters_to_run(const runtime::Store<api::Task>::Change& change) {
  if (!change.after || !change.before) {
    return true;
  }
  const auto& before = *change.before;
  const auto& after = *change.after;
  return stage_of(before.status.phase) != stage_of(after.status.phase) ||
         before.spec.suspend != after.spec.suspend || before.meta.labels != after.meta.labels ||
         before.meta.annotations != after.meta.annotations ||
         before.meta.owner_references != after.meta.owner_references;
}

// The run of which this one is a step, when it cares.
void wake_parent(const runtime::Store<api::WorkflowRun>::Change& change, runtime::WorkQueue& queue) {
  const auto& run = change.after ? *change.after : *change.before;
  const auto* owner = controlling_run(run.meta);
  const auto has_ended = [](const auto& version) { return Child{nullptr, version}.ended(); };
  const bool matters = !change.before || !change.after ||
                       change.before->status.phase != change.after->status.phase ||
                       change.before->spec.suspend != change.after->spec.suspend ||
                       has_ended(change.before) != has_ended(change.after);  // a further round was refused
  if (owner != nullptr && matters) {
    queue.add({run.meta.namespace_, owner->name}, priority_of(change.initial));
  }
}

}  // namespace

void RunReconciler::watch(runtime::WorkQueue& queue) {
  watch_runs(queue);
  watch_tasks(queue);
  watch_definitions(queue);
}

void RunReconciler::watch_runs(runtime::WorkQueue& queue) {
  caches_.runs.add_handler([this, &queue](const runtime::Store<api::WorkflowRun>::Change& change) {
    metrics_.run_changed(change.before.get(), change.after.get());
    if (change.after) {
      queue.add(change.after->meta.key(), priority_of(change.initial));
    } else {
      forget(change.before->meta.uid);
    }
    wake_parent(change, queue);
  });
}

void RunReconciler::watch_tasks(runtime::WorkQueue& queue) {
  caches_.tasks.add_handler([&queue](const runtime::Store<api::Task>::Change& change) {
    const auto& task = change.after ? *change.after : *change.before;
    const auto* before = change.before ? controlling_run(change.before->meta) : nullptr;
    const auto* owner = controlling_run(task.meta);
    if (!matters_to_run(change)) {
      return;
    }
    for (const auto* run : {owner, before}) {
      if (run != nullptr) {
        queue.add({task.meta.namespace_, run->name}, priority_of(change.initial));
      }
    }
  });
}

void RunReconciler::watch_definitions(runtime::WorkQueue& queue) {
  // A run that has what it executes is not woken; one that lost it has the reason in its status.
  const auto wake_waiting = [this, &queue](const std::string& namespace_, const std::string& workflow,
                                           bool initial) {
    for (const auto& run : caches_.runs.by_index(api::index::kRunsByWorkflow, namespace_ + "/" + workflow)) {
      const bool waits =
          run->status.phase == api::RunPhase::Pending || run->status.reason == reason::kRevisionNotFound;
      if (waits) {
        queue.add(run->meta.key(), priority_of(initial));
      }
    }
  };
  caches_.workflows.add_handler([this, wake_waiting](const runtime::Store<api::Workflow>::Change& change) {
    const auto& workflow = change.after ? *change.after : *change.before;
    if (!change.after) {
      metrics_.workflow_gone(workflow.meta.key());
    }
    wake_waiting(workflow.meta.namespace_, workflow.meta.name, change.initial);
  });
  caches_.revisions.add_handler(
      [wake_waiting](const runtime::Store<api::ControllerRevision>::Change& change) {
        const auto& revision = change.after ? *change.after : *change.before;
        if (const auto* owner = revision.meta.controller()) {
          wake_waiting(revision.meta.namespace_, owner->name, change.initial);
        }
      });
}

}  // namespace convoke::workflow
