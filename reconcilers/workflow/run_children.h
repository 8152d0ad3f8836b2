// The Tasks and runs of a run, as they are in the API: found, created and patched. The run reconciler's
// hands.
//
// Thread safety: all methods from every thread. Ownership: client, caches, events and clock outlive this.
// Errors: only those that a later try may not meet again; what the API server will go on refusing becomes a
// fact of the snapshot, so that the next decision can answer it.
#pragma once

#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/client.h"
#include "controller/runtime/event_recorder.h"
#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/workflow/run_decide.h"

namespace convoke::workflow {

class RunChildren {
 public:
  // `audit` may be null.
  RunChildren(kube::Client& client, api::Caches& caches, runtime::EventRecorder& events, Clock& clock,
              api::AuditLog* audit)
      : client_(client), caches_(caches), events_(events), clock_(clock), audit_(audit) {}

  // The Tasks and runs that this run controls.
  KnownChildren list(const api::WorkflowRun& run) const;

  // Fills the snapshot's children. A child that a row speaks
  // of but the caches lack is asked for at the API server: only its word proves that it is gone.
  Status match(const KnownChildren& known, RunSnapshot& snapshot);

  // Several at once (side_by_side.h). True: all were created. False: a new fact (a refusal, a taken name, a
  // child that is held back for now) is in the snapshot, and the rest was not created: decide again.
  Result<bool> create(const std::vector<ChildStart>& starts, RunSnapshot& snapshot);

  Status patch(const std::vector<ChildPatch>& patches);

 private:
  Status find_missing(const ChildKey& key, RunSnapshot& snapshot);
  // The object of that name, if it is the run's child of that key.
  Result<Child> find_named(const RunSnapshot& snapshot, const ChildKey& key, const std::string& name);
  // What the API server said of one create. False as of create().
  Result<bool> take_answer(const ChildStart& start, const Result<Json>& answer, RunSnapshot& snapshot);
  Result<bool> meet_existing(const ChildStart& start, RunSnapshot& snapshot);
  Child overlay(bool is_run, const Json& object);

  kube::Client& client_;
  api::Caches& caches_;
  runtime::EventRecorder& events_;
  Clock& clock_;
  api::AuditLog* const audit_;
};

}  // namespace convoke::workflow
