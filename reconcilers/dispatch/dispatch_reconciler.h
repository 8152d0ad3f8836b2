// Brings Tasks to agents that do not come for them: services (mode HTTP) and Jobs. Start here to read
// reconcilers/dispatch.
//
// Task by task: Observe (caches, and what this process remembers) -> plan (dispatch_plan.h) -> Act (a
// Carrier, then one JSON Patch of the Task's status). What an agent says is written into status.report just
// as an agent of the mode Pull would write it, so that all that follows is the same.
//
// Its controller has workers of its own, which are what is blocked while a service is slow; an agent has at
// most a quarter of them. Nothing is written about a Task before it has its turn: its announcement and the
// request are one. A Task whose assignment ends has its request ended at once.
//
// What an assignment left behind that was taken away, or that the operator itself declared to have ended, is
// told to stop. A Job is gone before anything else happens to its Task. A service is told beside the Task
// (stop_list.h): while no agent has the Task, status.dispatch names what is to be stopped, and the next
// process goes on with it; once the next assignment has begun, or the attempt was reported as failed, only
// this process knows, and so it is with the former address of an agent that was changed or deleted. If it
// ends too early, the service works on for nothing, until the `timeout` that it was given. So it does for a
// Task that is deleted while nobody leads: a standby stops nothing, and remembers none of these. That is
// safe: what the service reports carries another assignment's id and is refused, what its locks protect
// refuses its lower fencing tokens, and a Task that must not be worked on twice (AtMostOnce) is given to
// nobody else once it was sent.
//
// Thread safety: reconcile() as Reconciler says; watch() once, before the first object; stop() from every
// thread. Ownership: all that the constructor takes outlives it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
#include "reconcilers/dispatch/stop_list.h"

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
    std::string begun_at;  // what it was announced with here; empty: it was not, or nobody may go on with it
    bool withdraws = false;  // that must be written before anything is sent
    std::string trouble;     // why it was not reached
    int failures = 0;
    unsigned news = 0;  // how often its Job changed
    MonotonicTime not_before;
    std::optional<Outcome> unwritten;    // its end, which could not be written yet
    std::optional<Delivery> unaccepted;  // that it was accepted, which could not be written yet
  };

  void task_changed(const TaskChange& change, runtime::WorkQueue& queue);
  void agent_changed(const AgentChange& change, runtime::WorkQueue& queue);
  void job_changed(const JobChange& change, runtime::WorkQueue& queue);
  void task_is_gone(const api::Task& task, const runtime::WorkQueue& queue);
  // The request that is out for that Task, if nobody wants it any more.
  std::shared_ptr<kube::HttpCancel> useless_request(const kube::ObjectKey& key) const;
  // `former` cannot be asked any more to stop what it was brought.
  void keep_agent(const StopList::AgentPtr& former, std::vector<StopList::TaskPtr> tasks);
  bool concerns(const api::Task& task) const;

  std::shared_ptr<const api::Agent> agent_named(const api::Task& task, const std::string& name) const;
  Carrier* carrier_of(const api::Agent* agent) const;
  Memory recall(const kube::ObjectKey& key, const std::string& assignment_id) const;
  // What was news meanwhile makes its `not_before` moot.
  void remember(const kube::ObjectKey& key, const Memory& memory);
  // Nor does it wait for any agent.
  void forget(const kube::ObjectKey& key);

  runtime::ReconcileResult look_at(const kube::ObjectKey& key);
  runtime::ReconcileResult carry(const api::Task& task, const api::Agent& agent, Carrier& carrier, Step step,
                                 Memory memory);
  // Announces it, if that is the step, and sends or asks, in one slot.
  runtime::ReconcileResult deliver(const api::Task& task, const api::Agent& agent, Carrier& carrier,
                                   Step step, Memory memory);
  std::optional<runtime::ReconcileResult> announce(const api::Task& task, const api::TaskDispatch& dispatch,
                                                   Memory& memory, api::Task* announced);
  runtime::ReconcileResult settle(const api::Task& task, const Carrier& carrier, Step step,
                                  const Delivery& delivery, Memory memory);
  runtime::ReconcileResult accept(const api::Task& task, const Delivery& delivery, Memory memory);
  runtime::ReconcileResult try_later(const api::Task& task, const Carrier& carrier, Step step,
                                     const Delivery& delivery, Memory memory);
  runtime::ReconcileResult withdraw(const api::Task& task, Memory memory);
  runtime::ReconcileResult finish(const api::Task& task, const Outcome& outcome, Memory memory);
  runtime::ReconcileResult finish_unknown(const api::Task& task, const std::string& why, Memory memory);
  void never_send_again(const kube::ObjectKey& key, Memory memory);

  runtime::ReconcileResult change_mode(const api::Task& task, Memory memory);
  // What was brought before; none: it keeps nothing waiting.
  std::optional<runtime::ReconcileResult> stop_former(const api::Task& task, Step step);
  // None: it is gone, or cannot be removed.
  std::optional<Duration> stop_job(const api::Task& task);
  void stop_beside(const api::Task& task);
  runtime::ReconcileResult tell_to_stop(const kube::ObjectKey& stop_key);
  bool stop_at(const api::Task& task, const std::vector<StopList::AgentPtr>& agents,
               kube::HttpCancel& cancel);

  // None: it was written. `written`, if given, gets the Task as it is then.
  std::optional<runtime::ReconcileResult> write(const api::Task& task, const Json& patch,
                                                api::Task* written = nullptr);
  enum class Turn {
    Taken,
    NoSlot,   // the agent has too many requests out; the key is queued when one ends
    Useless,  // nobody wants the request any more
  };
  // Runs `use` with the right to send.
  Turn with_slot(const kube::ObjectKey& key, const api::Agent& agent, Request request,
                 const std::function<void(kube::HttpCancel&)>& use);
  void call(const AgentSlots::Called& called);
  std::string now_text() const;

  DispatchParts parts_;
  Logger log_;
  const int per_agent_;
  runtime::WorkQueue* queue_ = nullptr;  // set by watch()
  AgentSlots slots_;
  StopList stops_;
  runtime::OwnWrites own_writes_;
  mutable Mutex mutex_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::map<kube::ObjectKey, Memory> memories_ GUARDED_BY(mutex_);
  std::map<kube::ObjectKey, Request> requests_ GUARDED_BY(mutex_);
};

}  // namespace convoke::dispatch
