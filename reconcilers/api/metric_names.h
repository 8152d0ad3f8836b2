// Names of the metrics about what Convoke is for: tasks, agents, runs.
#pragma once

namespace convoke::metric {

inline constexpr char kTasks[] = "convoke_tasks";                          // label "phase"
inline constexpr char kTaskAttempts[] = "convoke_task_attempts_total";     // label "outcome"
inline constexpr char kTaskQueueSeconds[] = "convoke_task_queue_seconds";  // seen to want an agent -> matched
inline constexpr char kTaskAssignSeconds[] = "convoke_task_assign_seconds";  // the same -> Assigned written
inline constexpr char kSchedulerWaiting[] = "convoke_scheduler_waiting";
inline constexpr char kSchedulerDecisions[] = "convoke_scheduler_decisions_total";

inline constexpr char kAgents[] = "convoke_agents";  // label "phase"

inline constexpr char kRuns[] = "convoke_runs";  // label "phase"
inline constexpr char kRunDuration[] = "convoke_run_duration_seconds";
inline constexpr char kSteps[] = "convoke_steps_total";  // label "phase": how the step ended

}  // namespace convoke::metric
