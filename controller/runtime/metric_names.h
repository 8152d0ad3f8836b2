// Names of every metric of the runtime: upstream's, so that existing dashboards work.
#pragma once

namespace convoke::metric {

// workqueue_*, label "name" and "controller" (as controller-runtime).
inline constexpr char kQueueDepth[] = "workqueue_depth";
inline constexpr char kQueueAdds[] = "workqueue_adds_total";
inline constexpr char kQueueRetries[] = "workqueue_retries_total";
inline constexpr char kQueueDuration[] = "workqueue_queue_duration_seconds";
inline constexpr char kQueueWorkDuration[] = "workqueue_work_duration_seconds";
inline constexpr char kQueueUnfinished[] = "workqueue_unfinished_work_seconds";
inline constexpr char kQueueLongestRunning[] = "workqueue_longest_running_processor_seconds";

// controller_runtime_*, label "controller" (and "result").
inline constexpr char kReconcileTotal[] = "controller_runtime_reconcile_total";
inline constexpr char kReconcileErrors[] = "controller_runtime_reconcile_errors_total";
inline constexpr char kReconcileTerminalErrors[] = "controller_runtime_terminal_reconcile_errors_total";
inline constexpr char kReconcilePanics[] = "controller_runtime_reconcile_panics_total";
inline constexpr char kReconcileTime[] = "controller_runtime_reconcile_time_seconds";
inline constexpr char kMaxConcurrent[] = "controller_runtime_max_concurrent_reconciles";
inline constexpr char kActiveWorkers[] = "controller_runtime_active_workers";

inline constexpr char kLeaderStatus[] = "leader_election_master_status";    // label "name"
inline constexpr char kLeaderTransitions[] = "convoke_leader_transitions";  // label "name"

// Of each cache, label "resource".
inline constexpr char kCacheSynced[] = "convoke_cache_synced";
inline constexpr char kCacheSilence[] = "convoke_cache_silence_seconds";
inline constexpr char kCacheLists[] = "convoke_cache_lists_total";
inline constexpr char kCacheFailures[] = "convoke_cache_failures_total";

inline constexpr char kEventsDropped[] = "convoke_events_dropped_total";
inline constexpr char kEventsSent[] = "convoke_events_sent_total";

}  // namespace convoke::metric
