// Says of agents that Tasks are brought to whether they are alive, in place of the Lease that they do not
// have: a service while its Secrets can be read and its health path, if it has one, answers 2xx; an agent of
// the mode Job while this mode is enabled.
//
// Its controller has workers of its own. Agents that answered last are asked before those that did not, so
// that many that hang make nobody else's answer late.
//
// Thread safety: reconcile() as Reconciler says; watch() once, before the first object; stop() from every
// thread. Ownership: all that the constructor takes outlives it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "controller/base/mutex.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/dispatch/service_client.h"

namespace convoke::dispatch {

// Who keeps the Agents' status. Thread-safe.
class AgentListener {
 public:
  virtual ~AgentListener() = default;
  virtual void agent_alive(const kube::ObjectKey& agent) = 0;
  // It is not, and why; `reason` is CamelCase.
  virtual void agent_in_trouble(const kube::ObjectKey& agent, const std::string& reason,
                                const std::string& message) = 0;
};

class AgentProber final : public runtime::Reconciler {
 public:
  // `service`: null, if this process speaks to none; then agents of the mode HTTP stay as they are.
  AgentProber(api::Caches& caches, ServiceClient* service, bool jobs_enabled, AgentListener& listener);

  void watch(runtime::WorkQueue& queue);
  void stop();

  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  // Empty reason: it is alive.
  struct Finding {
    std::string reason;
    std::string message;
  };
  Finding probe(const api::Agent& agent);
  Finding ask(const api::Agent& agent);

  api::Caches& caches_;
  ServiceClient* service_;
  const bool jobs_enabled_;
  AgentListener& listener_;
  runtime::WorkQueue* queue_ = nullptr;  // set by watch()
  Mutex mutex_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::map<kube::ObjectKey, std::shared_ptr<kube::HttpCancel>> requests_ GUARDED_BY(mutex_);
};

}  // namespace convoke::dispatch
