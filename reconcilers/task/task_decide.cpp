#include "reconcilers/task/task_decide.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/applied.h"
#include "reconcilers/api/spec_problems.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/phase_table.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

using api::AttemptOutcome;
using api::ReportState;
using api::RetryOn;
using api::TaskPhase;
using runtime::EventType;

// From this rejection in a row on nobody is asked at once any more, so that many agents that all reject make
// no storm.
constexpr int kPatience = 3;

std::string of_attempts(int attempt, int limit) {
  return "attempt " + std::to_string(attempt) + " of " + std::to_string(std::max(attempt, limit + 1));
}

std::string join(const std::vector<api::RejectedAgent>& agents) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(agents.size(), kShown); ++i) {
    text += (i == 0 ? "" : "; ") + agents[i].agent_name + " " + agents[i].reason;
  }
  return agents.size() > kShown ? text + "; and others" : text;
}

// One decision under way: `next_` becomes the status, step by step.
class Decision {
 public:
  Decision(const TaskSnapshot& snapshot, const TaskTiming& timing)
      : seen_(snapshot), task_(snapshot.task), timing_(timing), next_(snapshot.task.status) {}

  TaskDecision run() {
    if (task_.meta.being_deleted()) {
      return {};
    }
    if (api::is_terminal(next_.phase)) {
      decide_finished();
    } else if (next_.phase == TaskPhase::Assigned || next_.phase == TaskPhase::Running) {
      decide_live();
    } else {
      decide_idle();
    }
    return conclude();
  }

 private:
  // --- What is the case ---

  const api::Report* current_report() const {
    const bool current = !next_.assignment.id.empty() && next_.report.assignment_id == next_.assignment.id;
    return current ? &next_.report : nullptr;
  }
  bool reported(ReportState state) const {
    return current_report() != nullptr && current_report()->state == state;
  }
  Duration until_deadline() const {
    return task_.spec.deadline - since(task_.meta.creation_timestamp, seen_.now);
  }
  Duration until_timeout() const { return task_.spec.timeout - since(next_.assigned_at, seen_.now); }
  // None: it stays.
  std::optional<Duration> until_removal() const {
    const bool is_kept = is_controlled_by_run(task_) || api::is_applied_by_a_tool(task_.meta);
    if (is_kept && !task_.spec.ttl_after_finished) {
      return {};
    }
    const bool succeeded = next_.phase == TaskPhase::Succeeded;
    const Duration usual = succeeded ? timing_.ttl_after_success : timing_.ttl_after_failure;
    return task_.spec.ttl_after_finished.value_or(usual) - since(next_.completed_at, seen_.now);
  }
  std::string now_text() const { return format_micro_time(seen_.now); }

  // Empty while the assignment stands.
  std::string loss() const {
    if (next_.agent_name.empty() || next_.assignment.id.empty()) {
      return "the assignment was removed from the status";
    }
    if (!seen_.agent.exists) {
      return "agent " + next_.agent_name + " does not exist any more";
    }
    return seen_.agent.phase == api::AgentPhase::Offline ? "agent " + next_.agent_name + " is Offline" : "";
  }

  std::string start_time() const {
    const auto reported_start = parse_time(next_.report.started_at);
    if (!next_.started_at.empty()) {
      return next_.started_at;
    }
    return reported_start ? format_micro_time(*reported_start) : next_.assigned_at;
  }

  // --- Phases ---

  void decide_finished() {
    const auto left = until_removal();
    out_.remove = left && *left <= Duration::zero();
  }

  void decide_idle() {
    if (task_.spec.cancel) {
      cancel();
    } else if (const auto problems = problems_of(task_); !problems.empty()) {
      reject_spec(api::describe_problems(problems));
    } else if (until_deadline() <= Duration::zero()) {
      exceed_deadline();
    } else if (task_.spec.suspend) {
      suspend();
    } else {
      decide_waiting();
    }
  }

  void decide_waiting() {
    if (const Duration left = until_retry(task_, seen_.now); left > Duration::zero()) {
      if (next_.phase != TaskPhase::Queued) {
        to(TaskPhase::Queued, reason::kRetrying, "waits for its next attempt");
      }
      look_again(left);
    } else if (seen_.outlook.reservation) {
      assign(*seen_.outlook.reservation);
    } else if (seen_.outlook.explanation) {
      wait(*seen_.outlook.explanation);
    } else {
      const Duration reoffer = until_reoffer(task_, seen_.now);
      put_off(reoffer > Duration::zero() ? reoffer : timing_.busy_write_delay);
    }
  }

  void decide_live() {
    const api::Report& report = next_.report;
    if (reported(ReportState::Succeeded)) {
      succeed();
    } else if (task_.spec.cancel) {
      cancel();
    } else if (until_deadline() <= Duration::zero()) {
      exceed_deadline();
    } else if (reported(ReportState::Failed)) {
      const std::string text = report.error_message.empty() ? report.message : report.error_message;
      const std::string code = report.error_code.empty() ? "" : report.error_code + ": ";
      end_attempt(RetryOn::Failed, AttemptOutcome::Failed, reason::kFailed,
                  code + (text.empty() ? "the agent gave no message" : text), report.error_retryable);
    } else if (reported(ReportState::Rejected)) {
      hand_back();
    } else if (const std::string lost = loss(); !lost.empty()) {
      event(EventType::Warning, reason::kAgentLost, action::kRetry, lost);
      end_attempt(RetryOn::AgentLost, AttemptOutcome::AgentLost, reason::kAgentLost, lost, true);
    } else if (until_timeout() <= Duration::zero()) {
      end_attempt(RetryOn::Timeout, AttemptOutcome::Timeout, reason::kTimeout,
                  "not finished within " + format_duration(task_.spec.timeout), true);
    } else {
      go_on();
    }
  }

  // --- Waiting ---

  void reject_spec(const std::string& problems) {
    if (next_.reason != reason::kInvalidSpec) {
      event(EventType::Warning, reason::kInvalidSpec, action::kValidate, problems);
    }
    to(TaskPhase::Pending, reason::kInvalidSpec, problems, true);
  }

  void suspend() {
    to(TaskPhase::Pending, reason::kSuspended, "nothing is given out until spec.suspend is false");
  }

  void assign(const Reservation& reservation) {
    if (next_.phase == TaskPhase::Pending) {
      to(TaskPhase::Queued, reason::kQueued, "");
    }
    ++next_.attempt;
    next_.report = {};
    next_.agent_name = reservation.agent_name;
    const std::string id =
        task_.meta.uid.substr(0, 8) + "-" + std::to_string(next_.attempt) + "-" + seen_.random_id;
    const std::string score = std::to_string(reservation.score);
    next_.assignment = {id,         kCapabilityMatch,    score, reservation.candidates,
                        now_text(), reservation.rejected};
    to(TaskPhase::Assigned, reason::kAssigned, "assigned to " + reservation.agent_name);
    event(EventType::Normal, reason::kAssigned, action::kAssign,
          "assigned to " + reservation.agent_name + " (" + kCapabilityMatch + ", score " + score + ", " +
              std::to_string(reservation.candidates) +
              (reservation.candidates == 1 ? " candidate)" : " candidates)"));
  }

  void wait(const Explanation& explanation) {
    const bool busy = explanation.verdict == Verdict::AgentsBusy;
    const std::string why = busy ? reason::kAgentsBusy : reason::kNoEligibleAgent;
    const Duration soon = timing_.busy_write_delay - seen_.outlook.waited;
    if (busy && next_.reason != why && soon > Duration::zero()) {
      put_off(soon);
      return;
    }
    if (!busy && next_.reason != why) {
      event(EventType::Warning, why, action::kQueue, describe(explanation));
    }
    to(TaskPhase::Queued, why, describe(explanation));
    next_.assignment.rejected = explanation.rejected;
    look_again(jittered(timing_.waiting_refresh));
    if (explanation.verdict == Verdict::OnlyRejecters) {
      look_again(until_reoffer(task_, seen_.now));
    }
  }

  std::string describe(const Explanation& explanation) const {
    switch (explanation.verdict) {
      case Verdict::NoAgents:
        return "there is no agent in namespace " + task_.meta.namespace_;
      case Verdict::NoEligibleAgent:
        return "no agent can take it: " + join(explanation.rejected);
      case Verdict::OnlyRejecters:
        return "every agent that could take it has rejected it; they are asked again later: " +
               join(explanation.rejected);
      case Verdict::AgentsBusy:
        break;
    }
    return explanation.rejected.empty() ? "waits for a free agent"
                                        : "waits for a free agent: " + join(explanation.rejected);
  }

  // --- Live ---

  void go_on() {
    if (next_.phase == TaskPhase::Running || !reported(ReportState::Running)) {
      return;
    }
    const Duration left = timing_.running_write_delay - seen_.report_seen_for;
    if (left > Duration::zero()) {
      look_again(left);
      return;
    }
    const std::string started = start_time();
    to(TaskPhase::Running, reason::kRunning, "running on " + next_.agent_name);
    next_.started_at = started;
  }

  void succeed() {
    const std::size_t bytes = next_.report.outputs.size();
    if (bytes > kMaxOutputBytes) {
      drop_outputs();
      fail(AttemptOutcome::Failed, reason::kOutputTooLarge,
           "the outputs have " + std::to_string(bytes) + " bytes, " + std::to_string(kMaxOutputBytes) +
               " are allowed");
      return;
    }
    next_.started_at = start_time();
    record_attempt(AttemptOutcome::Succeeded, reason::kSucceeded, next_.report.message);
    const std::string by = "finished by " + next_.agent_name;
    to(TaskPhase::Succeeded, reason::kSucceeded, by);
    if (!is_controlled_by_run(task_)) {
      event(EventType::Normal, reason::kSucceeded, action::kFinish,
            by + " after " + human_duration(since(next_.assigned_at, seen_.now)));
    }
  }

  // The reason and the message say that they are gone; nobody could use them.
  void drop_outputs() {
    if (auto raw = parse_json(next_.report.raw); raw && raw->is_object()) {
      raw->erase("outputs");
      next_.report.raw = dump_json(*raw);
    }
    next_.report.outputs.clear();
  }

  // An attempt that did not succeed: another one, if the policy has one left.
  void end_attempt(RetryOn cause, AttemptOutcome outcome, const std::string& why, const std::string& message,
                   bool retryable) {
    const api::RetryPolicy& policy = task_.spec.retry;
    const std::string attempts = of_attempts(next_.attempt, policy.limit);
    if (!retryable || !policy.covers(cause) || next_.attempt > policy.limit) {
      fail(outcome, why,
           message + " (" + attempts + (retryable ? ")" : "; the agent says that trying again is useless)"));
      return;
    }
    const Duration delay = jittered(policy.delay(std::max(next_.attempt, 1)));
    record_attempt(outcome, why, message);
    const std::string plan = attempts + " ended with " + why + " (" + message + "); the next one starts in " +
                             human_duration(delay);
    to(TaskPhase::Queued, reason::kRetrying, plan);
    queue_again_in(delay);
    event(EventType::Normal, reason::kRetrying, action::kRetry, plan);
  }

  // A rejection is no attempt: the number is used again.
  void hand_back() {
    const std::string text = next_.report.message.empty() ? next_.report.error_message : next_.report.message;
    const std::string message =
        next_.agent_name + " rejected it: " + (text.empty() ? "no reason given" : text);
    record_attempt(AttemptOutcome::Rejected, reason::kRejected, text);
    to(TaskPhase::Queued, reason::kRejected, message);
    next_.attempt = std::max(next_.attempt - 1, 0);
    event(EventType::Normal, reason::kRejected, action::kRetry, message);
    const int rejections = rejections_in_a_row(next_);
    queue_again_in(rejections < kPatience ? Duration::zero() : rejection_delay(rejections - kPatience + 1));
  }

  void queue_again_in(Duration delay) {
    if (delay > Duration::zero()) {
      next_.retry_at = format_micro_time(seen_.now + delay);
    }
    if (task_.spec.suspend) {
      suspend();
    } else {
      // Without a delay the scheduler's match comes first; this is for the case that there is none.
      look_again(delay > Duration::zero() ? delay : timing_.busy_write_delay);
    }
  }

  // --- Ends ---

  void cancel() {
    const std::string& text = task_.spec.cancel->reason;
    const std::string message = text.empty() ? "cancelled" : "cancelled: " + text;
    end(TaskPhase::Cancelled, AttemptOutcome::Cancelled, reason::kCancelled, message);
    event(EventType::Normal, reason::kCancelled, action::kCancel, message);
  }

  void exceed_deadline() {
    const std::string message =
        "not finished within " + format_duration(task_.spec.deadline) + " of its creation";
    end(TaskPhase::Failed, AttemptOutcome::Timeout, reason::kDeadlineExceeded, message);
    event(EventType::Warning, reason::kDeadlineExceeded, action::kFinish, message);
  }

  void fail(AttemptOutcome outcome, const std::string& why, const std::string& message) {
    end(TaskPhase::Failed, outcome, why, message);
    event(EventType::Warning, reason::kFailed, action::kFinish, why + ": " + message);
  }

  void end(TaskPhase phase, AttemptOutcome outcome, const std::string& why, const std::string& message) {
    const bool live = next_.phase == TaskPhase::Assigned || next_.phase == TaskPhase::Running;
    if (live) {
      next_.started_at = current_report() != nullptr ? start_time() : next_.started_at;
      record_attempt(outcome, why, message);
    }
    to(phase, why, message);
  }

  // --- Putting it together ---

  void record_attempt(AttemptOutcome outcome, const std::string& why, const std::string& message) {
    out_.attempt_ended = outcome;
    const std::string started = current_report() != nullptr ? start_time() : next_.started_at;
    next_.attempts.push_back({next_.attempt, next_.agent_name, next_.assignment.id, outcome, why,
                              api::cut_text(message, kMaxMessageBytes), next_.assigned_at, started,
                              now_text()});
    if (next_.attempts.size() > kMaxAttemptRecords) {
      next_.attempts.erase(next_.attempts.begin());
    }
  }

  void to(TaskPhase phase, const std::string& why, const std::string& message, bool stalled = false) {
    const std::string shown = api::cut_text(message, kMaxMessageBytes);
    auto changed = transition(next_, {phase, why, shown, task_.meta.generation, seen_.now, stalled});
    if (!changed) {
      out_.defect = std::move(changed).error();
    }
  }

  void event(EventType type, const std::string& why, const std::string& what, const std::string& note) {
    out_.events.push_back({type, why, what, note});
  }

  Duration jittered(Duration duration) const {
    const double factor = 0.9 + 0.2 * seen_.jitter;
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double, Duration::period>(static_cast<double>(duration.count()) * factor));
  }

  void look_again(Duration in) {
    const Duration soonest = std::max(in, Duration::zero());
    out_.look_again = std::min(out_.look_again.value_or(soonest), soonest);
  }

  // Nothing is written now, not even that the spec was seen: the write that is due soon says all.
  void put_off(Duration for_this_long) {
    put_off_ = true;
    look_again(for_this_long);
  }

  // What time alone will change about the state that is reached now.
  void plan_next_look() {
    if (api::is_terminal(next_.phase)) {
      if (const auto left = until_removal()) {
        look_again(*left);
      }
      return;
    }
    if (next_.reason != reason::kInvalidSpec) {
      look_again(until_deadline());
    }
    if (next_.phase == TaskPhase::Assigned || next_.phase == TaskPhase::Running) {
      look_again(until_timeout());
    }
  }

  TaskDecision conclude() {
    if (out_.defect) {
      TaskDecision nothing;
      nothing.defect = std::move(out_.defect);
      return nothing;
    }
    plan_next_look();
    if (next_.present && !put_off_ && next_.observed_generation != task_.meta.generation) {
      observe_generation(next_, task_.meta.generation);
    }
    if (next_ != task_.status && !out_.remove) {
      out_.status = std::move(next_);
    }
    return std::move(out_);
  }

  const TaskSnapshot& seen_;
  const api::Task& task_;
  const TaskTiming& timing_;
  api::TaskStatus next_;
  TaskDecision out_;
  bool put_off_ = false;
};

}  // namespace

TaskDecision decide(const TaskSnapshot& snapshot, const TaskTiming& timing) {
  return Decision(snapshot, timing).run();
}

bool is_controlled_by_run(const api::Task& task) {
  const kube::OwnerReference* owner = task.meta.controller();
  return owner != nullptr && owner->kind == api::kWorkflowRun.kind &&
         owner->api_version == api::kWorkflowRun.api_version();
}

}  // namespace convoke::task
