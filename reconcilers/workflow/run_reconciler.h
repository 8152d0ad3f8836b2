// Drives every WorkflowRun: finds its definition, creates the Tasks and runs of its steps, and writes how far
// it got.
//
//   observe: the run, its definition (definition_source.h), its children (run_children.h)
//   decide:  run_decide.h
//   act:     create Tasks and runs, patch them, then write the status, once
//
// A change of the run's phase is written at once; changes of rows only are written at most once in
// `status_interval`. A run of one step costs two writes of its status: Running, and how it ended. A run of so
// many children that looking at it takes long is looked at less often than they change (duty_cycle.h).
//
// Thread safety: as Reconciler. Ownership: everything given to the constructor outlives this.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/kube/client.h"
#include "controller/runtime/duty_cycle.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"
#include "controller/runtime/write_pacer.h"
#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/workflow/definition_source.h"
#include "reconcilers/workflow/run_children.h"
#include "reconcilers/workflow/run_metrics.h"
#include "reconcilers/workflow/unwritten.h"

namespace convoke::workflow {

struct RunReconcilerOptions {
  Duration status_interval = std::chrono::seconds(1);
  api::AuditLog* audit = nullptr;  // none: nothing is told
};

class RunReconciler final : public runtime::Reconciler {
 public:
  RunReconciler(kube::Client& client, api::Caches& caches, runtime::EventRecorder& events, Clock& clock,
                Logger log, prometheus::Registry& registry, RunReconcilerOptions options = {});

  // Adds handlers to the caches that put runs into `queue`: their own changes, those of their Tasks, and
  // those of a Workflow that they wait for. Once, before the caches hold anything; `queue` outlives the
  // caches.
  void watch(runtime::WorkQueue& queue);

  // From every thread; for writes to come.
  void set_status_interval(Duration interval) { pacer_.set_interval(interval); }

  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  using Wake = std::optional<Duration>;

  runtime::ReconcileResult remove_when_due(const RunPtr& run);
  runtime::ReconcileResult drive(const RunPtr& run);
  runtime::ReconcileResult retry(const RunPtr& run);
  runtime::ReconcileResult run_without_definition(const RunPtr& run, const api::WorkflowRunStatus& status,
                                                  const KnownChildren& known, const NoDefinition& why);
  runtime::ReconcileResult cancel_without_definition(const RunPtr& run, const api::WorkflowRunStatus& status,
                                                     const KnownChildren& known, const NoDefinition& why);
  runtime::ReconcileResult execute(RunSnapshot snapshot, const KnownChildren& known);
  // Writes the status if it changed and is due.
  runtime::ReconcileResult record(const RunPtr& run, api::WorkflowRunStatus status, Wake wake);
  runtime::ReconcileResult write(const RunPtr& run, const api::WorkflowRunStatus& status, Wake wake);
  runtime::ReconcileResult write_failed(const RunPtr& run, const api::WorkflowRunStatus& status,
                                        const Error& error);
  void announce(const api::WorkflowRun& run, const api::WorkflowRunStatus& status);
  void forget(const std::string& uid);

  void watch_runs(runtime::WorkQueue& queue);
  void watch_tasks(runtime::WorkQueue& queue);
  void watch_definitions(runtime::WorkQueue& queue);

  kube::Client& client_;
  api::Caches& caches_;
  runtime::EventRecorder& events_;
  Clock& clock_;
  Logger log_;
  RunMetrics metrics_;
  api::AuditLog* const audit_;
  DefinitionSource definitions_;
  RunChildren children_;
  runtime::WritePacer pacer_;
  runtime::DutyCycle looks_;
  UnwrittenStatuses unwritten_;
};

}  // namespace convoke::workflow
