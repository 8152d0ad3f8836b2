// Everything that the operator reads: one Store for each kind, with the indexes that the reconcilers ask for.
//
// Ownership: the composition root makes one and outlives every reconciler. Thread safety: as Store.
#pragma once

#include "controller/kube/lease.h"
#include "controller/runtime/store.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::api {

namespace index {
inline constexpr char kTasksByAgent[] =
    "agent";                                  // "namespace/agent": Tasks that are Assigned or Running there
inline constexpr char kTasksByRun[] = "run";  // uid of the WorkflowRun that controls the Task
inline constexpr char kTasksByParent[] = "parent";  // uid of the Task that controls the Task: its subtasks
inline constexpr char kTasksByKey[] = "key";        // "namespace/idempotencyKey"
// "namespace/agent": live Tasks whose spec.agentName names that agent, and that another one has.
inline constexpr char kTasksByWantedAgent[] = "wanted-agent";
inline constexpr char kRunsByWorkflow[] = "workflow";  // "namespace/workflow"
inline constexpr char kRunsByParent[] = "parent";      // uid of the WorkflowRun that controls the run
inline constexpr char kRevisionsByOwner[] =
    "owner";  // uid of the Workflow that controls the ControllerRevision
}  // namespace index

struct Caches {
  Caches();  // adds the indexes

  runtime::Store<Agent> agents;
  runtime::Store<kube::Lease> heartbeats;  // Leases labelled convoke.dev/agent
  runtime::Store<kube::Lease> locks;       // Leases labelled convoke.dev/lock
  runtime::Store<Task> tasks;
  runtime::Store<Workflow> workflows;
  runtime::Store<WorkflowRun> runs;
  runtime::Store<ControllerRevision> revisions;  // labelled convoke.dev/workflow
};

}  // namespace convoke::api
