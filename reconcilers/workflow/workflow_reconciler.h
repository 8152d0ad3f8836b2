// Drives every Workflow: checks its definition, keeps it as a ControllerRevision, fires its triggers, and
// deletes what its history limits do not keep. What a run does is run_reconciler.h.
//
// Counts of runs are written at most once in `counts_interval`, everything else at once.
//
// Thread safety: as Reconciler. Ownership: everything given to the constructor outlives this.
#pragma once

#include <chrono>
#include <optional>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/kube/client.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"
#include "controller/runtime/write_pacer.h"
#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/workflow/definition_cache.h"
#include "reconcilers/workflow/trigger_metrics.h"
#include "reconcilers/workflow/workflow_decide.h"

namespace convoke::workflow {

struct WorkflowReconcilerOptions {
  Duration counts_interval = std::chrono::seconds(10);
  // Changes of runs are gathered this long before their Workflow is looked at.
  Duration gather = std::chrono::seconds(1);
  api::AuditLog* audit = nullptr;  // none: nothing is told
};

class WorkflowReconciler final : public runtime::Reconciler {
 public:
  WorkflowReconciler(kube::Client& client, api::Caches& caches, runtime::EventRecorder& events, Clock& clock,
                     Logger log, prometheus::Registry& registry, WorkflowReconcilerOptions options = {});

  // Adds handlers to the caches that put Workflows into `queue`: their own changes, those of their revisions,
  // and the phase changes of their runs. Once, before the caches hold anything; `queue` outlives the caches.
  void watch(runtime::WorkQueue& queue);

  // From every thread; for writes to come.
  void set_counts_interval(Duration interval) { pacer_.set_interval(interval); }

  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  WorkflowSnapshot observe(const WorkflowPtr& workflow);
  Result<DefinitionPtr> check(const api::Workflow& workflow);

  // Each of these returns false if it learned a new fact: decide again.
  Result<bool> keep_revision(const WorkflowDecision& decision, WorkflowSnapshot& snapshot);
  Result<bool> create_runs(const WorkflowDecision& decision, WorkflowSnapshot& snapshot);
  Result<bool> create_run(const RunStart& start, WorkflowSnapshot& snapshot);
  Status cancel_runs(const WorkflowDecision& decision);
  Status renumber(const api::ControllerRevision& revision, std::int64_t number);
  runtime::ReconcileResult record(const api::Workflow& workflow, const WorkflowDecision& decision);
  Status write(const api::Workflow& workflow, const api::WorkflowStatus& status);
  Status forget(const WorkflowDecision& decision);

  kube::Client& client_;
  api::Caches& caches_;
  runtime::EventRecorder& events_;
  Clock& clock_;
  Logger log_;
  const WorkflowReconcilerOptions options_;
  TriggerMetrics metrics_;
  DefinitionCache definitions_;
  runtime::WritePacer pacer_;
};

}  // namespace convoke::workflow
