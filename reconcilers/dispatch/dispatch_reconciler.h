// Brings Tasks to agents that do not come for them: services (mode HTTP) and Jobs. Start here to read
// reconcilers/dispatch.
//
// Task by task: Observe (caches, and what this process remembers) -> plan (dispatch_plan.h) -> Act (a
// Carrier, then one JSON Patch of the Task's status). What an agent says is written into status.report just
// as an agent of the mode Pull would write it, so that all that follows is the same.
//
// Its controller has workers of its own, which are what is blocked while a service is slow; an agent has at
// most a quarter of them. A Task whose assignment ends has its request ended at once.
//
// Thread safety: reconcile() as Reconciler says; watch() once, before the first object; stop() from every
// thread. Ownership: all that the constructor takes outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/runtime/own_writes.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/dispatch/agent_slots.h"
#include "reconcilers/dispatch/carrier.h"
#include "reconcilers/dispatch/dispatch_plan.h"
#include "reconcilers/dispatch/job.h"

namespace convoke::dispatch {

struct DispatchParts {
  kube::Client& client;
  api::Caches& caches;
  runtime::Store<Job>& jobs;
  Clock& clock;
  Random& random;
  Carrier* http = nullptr;  // none: agents of this mode get nothing
  Carrier* job = nullptr;
};

class DispatchReconciler final : public runtime::Reconciler {
 public:
  // `workers`: of its controller.
  DispatchReconciler(DispatchParts parts, Logger log, int workers);

  void watch(runtime::WorkQueue& queue);
  // Ends the requests that are out; those that must not be sent twice only if `all`.
  void stop(bool all = false);

  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  using TaskChange = runtime::Store<api::Task>::Change;
  using AgentChange = runtime::Store<api::Agent>::Change;
  using JobChange = runtime::Store<Job>::Change;

  struct Request {
    std::shared_ptr<kube::HttpCancel> cancel;
    std::string assignment_id;
    bool stops = false;      // it is what stops the assignment
    bool only_once = false;  // it must not be sent twice
  };
  // What this process knows of an assignment.
  struct Memory {
    std::string assignment_id;
    bool begun_here = false;
    int failures = 0;
    int stop_tries = 0;
    MonotonicTime not_before;
    std::optional<Outcome> unwritten;    // its end, which could not be written yet
    std::optional<Delivery> unaccepted;  // that it was accepted, which could not be written yet
  };

  void task_changed(const TaskChange& change, runtime::WorkQueue& queue);
  void agent_changed(const AgentChange& change, runtime::WorkQueue& queue);
  void job_changed(const JobChange& change, runtime::WorkQueue& queue);
  bool concerns(const api::Task& task) const;

  std::shared_ptr<const api::Agent> agent_named(const api::Task& task, const std::string& name) const;
  Carrier* carrier_of(const api::Agent* agent) const;
  Memory recall(const kube::ObjectKey& key, const std::string& assignment_id) const;
  void remember(const kube::ObjectKey& key, const Memory& memory);
  void forget(const kube::ObjectKey& key);
  std::shared_ptr<const api::Task> take_orphan(const kube::ObjectKey& key);

  runtime::ReconcileResult carry(const api::Task& task, const api::Agent& agent, Carrier& carrier, Step step,
                                 Memory memory);
  runtime::ReconcileResult begin(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                 Memory memory);
  runtime::ReconcileResult deliver(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                   Step step, Memory memory);
  runtime::ReconcileResult settle(const api::Task& task, Step step, const Delivery& delivery, Memory memory);
  runtime::ReconcileResult accept(const api::Task& task, const Delivery& delivery, Memory memory);
  runtime::ReconcileResult try_later(const api::Task& task, const Delivery& delivery, Memory memory);
  runtime::ReconcileResult finish(const api::Task& task, const Outcome& outcome, Memory memory);
  // True if there is nothing left to stop; none: its turn comes later.
  std::optional<bool> stop_once(const api::Task& task, bool orphaned);
  runtime::ReconcileResult stop_assignment(const api::Task& task, bool orphaned);

  // None: it was written. `written`, if given, gets the Task as it is then.
  std::optional<runtime::ReconcileResult> write(const api::Task& task, const Json& patch,
                                                api::Task* written = nullptr);
  enum class Turn {
    Taken,
    NoSlot,   // the agent has too many requests out; the key is queued when one ends
    Useless,  // nobody wants the request any more
  };
  // Runs `use` with the right to send.
  Turn with_slot(const api::Task& task, const api::Agent& agent, Request request,
                 const std::function<void(kube::HttpCancel&)>& use);
  std::string now_text() const;

  DispatchParts parts_;
  Logger log_;
  const int per_agent_;
  runtime::WorkQueue* queue_ = nullptr;  // set by watch()
  AgentSlots slots_;
  runtime::OwnWrites own_writes_;
  mutable Mutex mutex_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::map<kube::ObjectKey, Memory> memories_ GUARDED_BY(mutex_);
  std::map<kube::ObjectKey, Request> requests_ GUARDED_BY(mutex_);
  // Tasks that were deleted in the middle of their work.
  std::map<kube::ObjectKey, std::shared_ptr<const api::Task>> orphans_ GUARDED_BY(mutex_);
};

}  // namespace convoke::dispatch
