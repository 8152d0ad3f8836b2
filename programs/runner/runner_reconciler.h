// Brings what this process does about one Task closer to what the Task wants: decide() (decide.h), then act.
//
// Thread safety: as Reconciler; advance_to from every thread. Ownership: everything in Parts outlives it; it
// is stopped (its controller is) before the Executions go.
#pragma once

#include <atomic>
#include <functional>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/store.h"
#include "programs/runner/config.h"
#include "programs/runner/execution.h"
#include "programs/runner/executions.h"
#include "programs/runner/journal.h"
#include "programs/runner/reporter.h"

namespace convoke::runner {

class RunnerReconciler final : public runtime::Reconciler {
 public:
  struct Parts {
    const Workshop& workshop;
    runtime::Store<api::Task>& tasks;
    Executions& executions;
    Reporter& reporter;
    Journal& journal;
    Clock& clock;
    const Logger& log;
    std::function<bool()> heartbeat_lost;
    std::function<void(const kube::ObjectKey&)> enqueue;
  };

  explicit RunnerReconciler(Parts parts);

  // Takes effect on every Task at its next reconcile. There is no way back to an earlier mode.
  void advance_to(Mode mode);
  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  using Result = runtime::ReconcileResult;

  RunnerFacts facts_about(const api::Task* task) const;
  Result act(const api::Task* task, const Executions::Plan& plan);
  Result claim(Execution& execution);
  Result watch(Execution& execution);
  Result report_end(Execution& execution);
  Result reject(const api::Task& task, Execution* execution, const std::string& why);
  Result fail_orphan(const api::Task& task);
  Result kill(Execution& execution, std::optional<Outcome> instead);

  void start(Execution& execution);
  void on_end(const api::Task& task, const CommandEnd* end);
  // What to do after a report that was not taken.
  Result not_taken(const api::Task& task, Execution* execution, const Reporter::Answer& answer);
  Logger log_of(const api::Task& task) const;

  const Parts parts_;
  const RunnerConfig& config_;
  std::atomic<Mode> mode_{Mode::Working};
};

}  // namespace convoke::runner
