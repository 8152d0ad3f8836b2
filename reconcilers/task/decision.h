// One decision under way: what decide() does, in parts that fit on a screen. Private to this folder;
// task_decide.h is the way in. `next_` becomes the status, step by step.
//
//   - decision.cpp: what is the case, how a Task ends, and what every part needs (a change of phase, an
//     Event, a next look);
//   - decide_waiting.cpp: while no agent has it;
//   - decide_live.cpp: while one has it, and how an attempt ends;
//   - decide_locks.cpp: while it waits for a lock, and when it loses one;
//   - decide_subtasks.cpp: a Task with subtasks, which no agent gets.
//
// Thread safety: none; it lives for one call.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/task/rebalance.h"
#include "reconcilers/task/task_decide.h"

namespace convoke::task {

class Decision {
 public:
  Decision(const TaskSnapshot& snapshot, const TaskTiming& timing)
      : seen_(snapshot), task_(snapshot.task), timing_(timing), next_(snapshot.task.status) {}

  TaskDecision run();

 private:
  using AttemptOutcome = api::AttemptOutcome;
  using EventType = runtime::EventType;
  using ReportState = api::ReportState;
  using RetryOn = api::RetryOn;
  using TaskPhase = api::TaskPhase;

  // --- What is the case ---

  // The report about the current assignment; null if there is none.
  const api::Report* current_report() const;
  bool reported(ReportState state) const;
  bool has_subtasks() const { return !task_.spec.subtasks.empty(); }
  // The agent has begun what it must not begin twice. An agent begins only once the API server has accepted
  // its report "Running", and that report and our own write exclude each other by their preconditions.
  bool is_bound() const;
  // The operator took back what it had announced, since for sure it did not come there.
  bool is_withdrawn() const;
  bool wants_another_agent() const;
  Duration until_deadline() const;
  Duration until_timeout() const;
  // None: it stays.
  std::optional<Duration> until_removal() const;
  std::string now_text() const;
  // Empty while the assignment stands.
  std::string loss() const;
  std::string start_time() const;

  // --- Phases ---

  void decide_finished();
  void decide_idle();
  void decide_waiting();
  void decide_live();

  // --- Waiting ---

  void reject_spec(const std::string& problems);
  void suspend();
  void assign(const Reservation& reservation);
  void wait(const Explanation& explanation);
  void wait_for_lock(const api::LockWait& wait);
  void follow(const api::Task& first);
  std::string describe(const Explanation& explanation) const;

  // --- Live ---

  // Ends the assignment without counting the attempt, and offers the Task again as its spec says.
  void take_back(AttemptOutcome outcome, const std::string& why, const std::string& message);
  void delegate();
  void rebalance(const Move& move);
  // What is asked of a live Task that it cannot follow (now), for people; empty if nothing is.
  std::string why_it_stays() const;
  void go_on();
  void lose_lock(const std::string& why);
  // Says so in the message of its phase.
  void show_where_it_is();
  void succeed();
  // The reason and the message say that they are gone; nobody could use them.
  void drop_outputs();
  // An attempt that did not succeed: another one, if the policy has one left.
  void end_attempt(RetryOn cause, AttemptOutcome outcome, const std::string& why, const std::string& message,
                   bool retryable);
  // A rejection is no attempt: the number is used again.
  void hand_back();
  void queue_again_in(Duration delay);

  // --- With subtasks ---

  void start_subtasks();
  void decide_subtasks();
  void show_progress(const std::vector<api::SubtaskRow>& rows);
  void succeed_together(const SubtaskVerdict& verdict);
  void set_result(const api::RawJson& outputs);
  void direct_subtasks();
  Json patch_of(const api::Task& subtask) const;

  // --- Ends ---

  void cancel();
  void exceed_deadline();
  void fail(AttemptOutcome outcome, const std::string& why, const std::string& message);
  void end(TaskPhase phase, AttemptOutcome outcome, const std::string& why, const std::string& message);

  // --- Putting it together ---

  void record_attempt(AttemptOutcome outcome, const std::string& why, const std::string& message);
  void to(TaskPhase phase, const std::string& why, const std::string& message, bool stalled = false);
  void event(EventType type, const std::string& why, const std::string& what, const std::string& note);
  Duration jittered(Duration duration) const;
  void look_again(Duration in);
  // Nothing is written now, not even that the spec was seen: the write that is due soon says all.
  void put_off(Duration for_this_long);
  // What time alone will change about the state that is reached now.
  void plan_next_look();
  TaskDecision conclude();

  const TaskSnapshot& seen_;
  const api::Task& task_;
  const TaskTiming& timing_;
  api::TaskStatus next_;
  TaskDecision out_;
  bool put_off_ = false;
};

}  // namespace convoke::task
