#include "reconcilers/dispatch/dispatch.h"

#include <utility>

namespace convoke::dispatch {

Dispatch::Dispatch(DispatchEnvironment env, Logger log)
    : metrics_(env.registry), secrets_(env.client, env.clock) {
  if (env.http != nullptr) {
    service_.emplace(*env.http, secrets_, env.clock, metrics_);
    http_.emplace(*service_, env.clock);
  }
  if (env.jobs) job_.emplace(env.client, jobs_, env.clock, metrics_);
  tasks_.emplace(DispatchParts{env.client, env.caches, jobs_, env.clock, env.random,
                               http_ ? &*http_ : nullptr, job_ ? &*job_ : nullptr},
                 std::move(log), env.workers);
  prober_.emplace(env.caches, service_ ? &*service_ : nullptr, env.jobs, env.agents);
}

void Dispatch::stop(bool all) {
  tasks_->stop(all);
  prober_->stop();
}

}  // namespace convoke::dispatch
