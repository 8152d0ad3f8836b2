// Names of the metrics about what Convoke is for: tasks, locks, agents, runs.
#pragma once

namespace convoke::metric {

inline constexpr char kTasks[] = "convoke_tasks";                                // label "phase"
inline constexpr char kTasksFinished[] = "convoke_tasks_finished_total";         // labels "phase", "reason"
inline constexpr char kTasksWaiting[] = "convoke_tasks_waiting";                 // label "reason"
inline constexpr char kOldestWaiting[] = "convoke_task_oldest_waiting_seconds";  // label "reason"
inline constexpr char kTaskAttempts[] = "convoke_task_attempts_total";           // label "outcome"
inline constexpr char kTaskAttemptSeconds[] = "convoke_task_attempt_seconds";    // label "agent_type"
inline constexpr char kTaskQueueSeconds[] = "convoke_task_queue_seconds";  // seen to want an agent -> matched
inline constexpr char kTaskAssignSeconds[] =
    "convoke_task_assign_seconds";  // the same -> Assigned written; labels "type", "priority"
inline constexpr char kSchedulerWaiting[] = "convoke_scheduler_waiting";
inline constexpr char kSchedulerDecisions[] = "convoke_scheduler_decisions_total";

inline constexpr char kLocksHeld[] = "convoke_locks_held";
inline constexpr char kLockWaiting[] = "convoke_lock_waiting_tasks";
inline constexpr char kLockWaitSeconds[] = "convoke_lock_wait_seconds";
inline constexpr char kLockGrants[] = "convoke_lock_grants_total";
inline constexpr char kLocksFreed[] = "convoke_lock_holders_freed_total";  // label "cause"

inline constexpr char kAgents[] = "convoke_agents";                       // label "phase"
inline constexpr char kAgentCircuits[] = "convoke_agent_circuits";        // label "circuit"
inline constexpr char kAgentCapacity[] = "convoke_agent_capacity";        // label "type"
inline constexpr char kAgentActive[] = "convoke_agent_active_tasks";      // label "type"
inline constexpr char kAgentAttempts[] = "convoke_agent_attempts_total";  // labels "agent", "outcome"
inline constexpr char kAgentAttemptSeconds[] = "convoke_agent_attempt_seconds_total";  // label "agent"

inline constexpr char kDispatchRequests[] = "convoke_dispatch_requests_total";  // labels "mode", "result"
inline constexpr char kDispatchSeconds[] = "convoke_dispatch_request_seconds";  // label "mode"

inline constexpr char kTriggerFirings[] = "convoke_trigger_firings_total";  // labels "type", "result"
inline constexpr char kCloudEvents[] = "convoke_cloudevents_total";         // label "outcome"
inline constexpr char kCloudEventRequests[] =
    "convoke_cloudevent_requests_total";  // label "code": of the answer

inline constexpr char kRuns[] = "convoke_runs";                                  // label "phase"
inline constexpr char kRunsFinished[] = "convoke_runs_finished_total";           // labels "phase", "reason"
inline constexpr char kWorkflowRuns[] = "convoke_workflow_runs_finished_total";  // labels "workflow", "phase"
inline constexpr char kRunDuration[] = "convoke_run_duration_seconds";
inline constexpr char kSteps[] = "convoke_steps_total";             // label "phase": how the step ended
inline constexpr char kRunOldest[] = "convoke_run_oldest_seconds";  // label "phase"
inline constexpr char kStepsWaiting[] = "convoke_steps_waiting";    // label "reason"
inline constexpr char kStepOldestWaiting[] = "convoke_step_oldest_waiting_seconds";  // label "reason"

}  // namespace convoke::metric
