// Keeps the status of every Agent: is it there, is it busy. Start here to read reconcilers/agent.
//
// Heartbeats are nearly free: a renewal only moves a time in the HeartbeatMonitor, and each agent is looked
// at when the heartbeat that was last seen would be too old. Before an agent is declared Offline its Lease is
// read from the API itself, because a watch may be late; and where the API cannot be asked, silence proves
// nothing.
//
// What its attempts came to is counted from the Tasks' status into the Agent's (attempt_ledger.h). How long a
// circuit has been as it is counts from when this process saw it change, or, for a change from before that,
// from the time that the status gives.
//
// Thread safety: reconcile() as Reconciler says; watch() once, before the first object.
// Ownership: all that the constructor takes outlives it.
#pragma once

#include <map>
#include <optional>

#include "controller/base/clock.h"
#include "controller/base/live.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/kube/client.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/own_writes.h"
#include "controller/runtime/reconciler.h"
#include "controller/runtime/work_queue.h"
#include "reconcilers/agent/agent_decide.h"
#include "reconcilers/agent/agent_metrics.h"
#include "reconcilers/agent/attempt_ledger.h"
#include "reconcilers/agent/heartbeat_monitor.h"
#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/caches.h"

namespace convoke::agent {

struct AgentParts {
  kube::Client& client;
  api::Caches& caches;
  Clock& clock;
  runtime::EventRecorder& events;
  prometheus::Registry& registry;
  api::AuditLog* audit = nullptr;  // none: nothing is told
};

class AgentReconciler final : public runtime::Reconciler {
 public:
  AgentReconciler(AgentParts parts, Logger log, AgentTiming timing = {});

  // Feeds the heartbeat monitor and the queue from the caches.
  void watch(runtime::WorkQueue& queue);

  // On leadership, when the caches are synced.
  void start();
  // Of an agent that Tasks are brought to, by who looks after it: it lives, or why it does not seem to. Both
  // from every thread.
  void heard(const kube::ObjectKey& agent);
  void not_heard(const kube::ObjectKey& agent, const AgentTrouble& trouble);

  // From every thread; for writes to come.
  void set_timing(const AgentTiming& timing) { timing_.set(timing); }

  runtime::ReconcileResult reconcile(const kube::ObjectKey& key) override;

 private:
  using AgentChange = runtime::Store<api::Agent>::Change;
  using LeaseChange = runtime::Store<kube::Lease>::Change;
  using TaskChange = runtime::Store<api::Task>::Change;

  void lease_changed(const LeaseChange& change, runtime::WorkQueue& queue);
  void agent_changed(const AgentChange& change, runtime::WorkQueue& queue);
  void task_changed(const TaskChange& change, runtime::WorkQueue& queue);

  // What this process remembers of an agent.
  struct Memory {
    std::optional<MonotonicTime> last_write;
    std::optional<AgentTrouble> trouble;
    bool unverified = false;         // its silence could not be verified when it was tried last
    std::string circuit_changed_at;  // as the status has it
    MonotonicTime circuit_changed;   // when that was, by this process' clock
  };

  void attempts_changed(const TaskChange& change, runtime::WorkQueue& queue);
  // Those that no Task has any more; a standby may have noted them for agents that never came.
  void forget_attempts(const TaskChange& change);
  void circuit_seen(const AgentChange& change);

  AgentSnapshot observe(const api::Agent& agent);
  bool seems_lost(const AgentSnapshot& snapshot) const;
  // Asks the API itself for the heartbeat. False if it cannot be asked now.
  bool verify_silence(const api::Agent& agent);
  runtime::ReconcileResult act(const AgentSnapshot& snapshot, const AgentDecision& decision);
  runtime::ReconcileResult write_failed(const AgentSnapshot& snapshot, const Error& error);
  void tell_audit(const api::Agent& before, const api::AgentStatus& after, const Json& answer);
  // Of an agent that is not there.
  void forget_unless_it_beats(const kube::ObjectKey& key);
  void forget(const kube::ObjectKey& key);

  AgentParts parts_;
  Logger log_;
  Live<AgentTiming> timing_;
  runtime::WorkQueue* queue_ = nullptr;  // set by watch()
  HeartbeatMonitor heartbeats_;
  AttemptLedger attempts_;
  AgentMetrics metrics_;
  runtime::OwnWrites own_writes_;
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Memory> memories_ GUARDED_BY(mutex_);
  bool leads_ GUARDED_BY(mutex_) = false;
};

}  // namespace convoke::agent
