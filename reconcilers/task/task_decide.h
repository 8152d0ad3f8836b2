// What to do about one Task: a pure function of what is known about it and of the time.
//
// One decision leads to one status write at most, however many phases it goes through (Pending, Queued and
// Assigned are one write when an agent is free). Writes that will soon be overtaken are put off: a Task that
// an agent has just begun is written Running only when it still runs after `running_write_delay`, and one
// that waits for busy agents is written Queued only after `busy_write_delay`.
//
// A Task with subtasks gets no agent: its decision creates, suspends and cancels them, and draws the sum
// (subtask_verdict.h). A Task that has begun somewhere and is AtMostOnce is never given out again.
//
// Thread safety: pure. Errors: `defect` if the decision asks for a phase change that does not exist.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/runtime/event_recorder.h"
#include "reconcilers/api/task.h"
#include "reconcilers/task/scheduler.h"
#include "reconcilers/task/subtask_verdict.h"

namespace convoke::task {

struct TaskTiming {
  Duration running_write_delay = std::chrono::milliseconds(300);
  Duration busy_write_delay = std::chrono::seconds(1);
  // A waiting Task is looked at this often, in case its reasons changed without anybody telling (+- 10 %).
  Duration waiting_refresh = std::chrono::minutes(5);
  // A Task that its agent did not begin within this goes to another one that has room; zero: never.
  Duration rebalance_after = std::chrono::seconds(30);
  Duration aging_interval{};  // as the scheduler has it
  // The rows of subtasks are written no more often than this, until the last one.
  Duration progress_interval = std::chrono::seconds(1);
  Duration ttl_after_success = std::chrono::hours(24);
  Duration ttl_after_failure = std::chrono::hours(7 * 24);
  bool operator==(const TaskTiming&) const = default;
};

// `outputs` as compact JSON above this fail the attempt.
inline constexpr std::size_t kMaxOutputBytes = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxAttemptRecords = 10;
inline constexpr std::size_t kMaxMessageBytes = 1024;
// How often a person may give a live Task to another agent.
inline constexpr int kMaxDelegations = 10;

// The agent that status.agentName names.
struct AgentState {
  bool exists = false;
  api::AgentPhase phase = api::AgentPhase::Pending;
  bool pulls = true;  // it begins by itself; otherwise the operator brings the Task, and can take that back
};

struct TaskSnapshot {
  const api::Task& task;
  AgentState agent;
  Outlook outlook;           // from the scheduler
  Duration report_seen_for;  // since it was first seen that the current assignment has begun, if it has
  WallTime now;
  std::string random_id;  // for a new assignment: hex, never used before
  double jitter = 0.5;    // in [0, 1)
  // While spec.agentName asks that another agent gets it: why that one cannot have it, for people; empty if
  // it can.
  std::string objection = {};
  // The Task with the same idempotencyKey whose result this one waits for; null if it is to be run itself.
  TaskPtr first = {};
  std::vector<SubtaskState> subtasks = {};  // of spec.subtasks, in their order
  Duration progress_wait = {};              // until the subtasks' rows may be written again
  bool room_elsewhere = false;  // another agent could take it at once; only asked where it matters
  // Of a live Task: why it has lost a lock, empty if it has not; none if that cannot be known now.
  std::optional<std::string> lock_loss = "";
};

struct TaskEvent {
  runtime::EventType type;
  std::string reason;
  std::string action;
  std::string note;
};

// What is to be done with the subtasks.
struct SubtaskActions {
  // Indexes into spec.subtasks. Nothing else is decided before they are created, or can never be.
  std::vector<std::size_t> create;
  // After the status is written, so that it says why:
  std::vector<std::pair<TaskPtr, Json>> patch;
  std::vector<TaskPtr> remove;
};

struct TaskDecision {
  std::optional<api::TaskStatus> status;  // to be written; none: nothing changed
  std::vector<TaskEvent> events;          // to be recorded once the status is written
  std::optional<api::AttemptOutcome> attempt_ended;
  std::optional<Duration> look_again;
  bool remove = false;  // its time after the end is over
  SubtaskActions subtasks;
  std::optional<Error> defect;
};

TaskDecision decide(const TaskSnapshot& snapshot, const TaskTiming& timing = {});

// A step of a run, or a subtask: the run or the whole answers for it, and its deletion deletes it.
bool is_part(const api::Task& task);

}  // namespace convoke::task
