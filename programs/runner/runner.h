// One agent, from its registration to its last word:
//
//   Agent registered -> heartbeat Lease held -> Tasks watched and carried out
//   asked to stop:  nothing new -> commands may end (drain) -> the rest is killed and reported -> Lease
//   deleted deposed:        commands are killed, nothing is reported, run() returns an error
//
// Thread safety: request_stop from every thread; run once. Ownership: everything in RunnerParts outlives the
// Runner. The transport below the clients should be shut down before the Runner is destroyed, so that nothing
// hangs in a request.
#pragma once

#include <memory>

#include <prometheus/registry.h>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/runtime/controller.h"
#include "controller/runtime/reflector.h"
#include "controller/runtime/store.h"
#include "programs/runner/config.h"
#include "programs/runner/executions.h"
#include "programs/runner/heartbeat.h"
#include "programs/runner/journal.h"
#include "programs/runner/reporter.h"
#include "programs/runner/runner_reconciler.h"

namespace convoke::runner {

struct RunnerParts {
  kube::Client& client;
  kube::Client& heartbeat_client;  // with a deadline well below the heartbeat's timeout
  Clock& clock;
  Random& random;
  const Logger& log;
  Journal& journal;
  const Workshop& workshop;  // has the configuration
};

class Runner {
 public:
  explicit Runner(RunnerParts parts);
  ~Runner();

  // Blocks until stopped or deposed (error Conflict); error Invalid if the Agent cannot be registered.
  Status run();
  void request_stop();

 private:
  enum class End { None, Stop, Deposed };

  Status register_agent();
  Result<bool> try_register();
  void watch_tasks();
  void wait_for_end();
  void end(End how);
  bool deposed();
  void drain();
  void enter(Mode mode);

  const RunnerParts parts_;
  const RunnerConfig& config_;
  const Logger log_;
  prometheus::Registry metrics_;  // required by the parts; a runner serves no metrics
  StopSignal stop_;
  Heartbeat heartbeat_;
  runtime::Store<api::Task> tasks_;
  Reporter reporter_;
  Executions executions_;
  RunnerReconciler reconciler_;
  runtime::Controller controller_;
  runtime::Reflector reflector_;

  Mutex mutex_;
  std::unique_ptr<Condition> ended_;
  End end_ GUARDED_BY(mutex_) = End::None;
};

}  // namespace convoke::runner
