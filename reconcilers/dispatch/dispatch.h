// All that brings Tasks to agents, put together: the carriers of the modes, what decides, and what looks
// after the agents. The composition root gives it two queues, each of a controller with its own workers.
//
// Thread safety: stop() from every thread; the rest by one. Ownership: all that the constructor takes
// outlives it.
#pragma once

#include <optional>

#include "reconcilers/dispatch/agent_prober.h"
#include "reconcilers/dispatch/dispatch_reconciler.h"
#include "reconcilers/dispatch/http_carrier.h"
#include "reconcilers/dispatch/job_carrier.h"

namespace convoke::dispatch {

struct DispatchEnvironment {
  kube::Client& client;
  api::Caches& caches;
  Clock& clock;
  Random& random;
  prometheus::Registry& registry;
  AgentListener& agents;
  kube::HttpClient* http = nullptr;  // none: agents of the mode HTTP get nothing
  bool jobs = false;                 // agents of the mode Job get theirs; jobs() must be fed then
  int workers = 64;                  // of the controller of Tasks
};

class Dispatch {
 public:
  Dispatch(DispatchEnvironment env, Logger log);

  DispatchReconciler& tasks() { return *tasks_; }
  AgentProber& agents() { return *prober_; }
  // Jobs labelled convoke.dev/agent; for a reflector.
  runtime::Store<Job>& jobs() { return jobs_; }
  // Ends the requests that are out; those that must not be sent twice only if `all`.
  void stop(bool all = false);

 private:
  DispatchMetrics metrics_;
  SecretReader secrets_;
  std::optional<ServiceClient> service_;
  std::optional<HttpCarrier> http_;
  runtime::Store<Job> jobs_;
  std::optional<JobCarrier> job_;
  std::optional<DispatchReconciler> tasks_;
  std::optional<AgentProber> prober_;
};

}  // namespace convoke::dispatch
