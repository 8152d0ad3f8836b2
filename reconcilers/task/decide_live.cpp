#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/task/decision.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

// From this rejection in a row on nobody is asked at once any more, so that many agents that all reject make
// no storm.
constexpr int kPatience = 3;

std::string of_attempts(int attempt, int limit) {
  return "attempt " + std::to_string(attempt) + " of " + std::to_string(std::max(attempt, limit + 1));
}

// Why the outputs of a report cannot be taken over, of an agent that took the liberties of their schema: they
// are nested too deeply. Empty if they can.
std::string why_unreadable(const api::Task& task) {
  const auto problem =
      std::find_if(task.malformed.begin(), task.malformed.end(), [](const std::string& text) {
        return text.starts_with("status.report: ") || text.starts_with("status.report.outputs: ");
      });
  return problem == task.malformed.end() ? "" : *problem;
}

}  // namespace

void Decision::decide_live() {
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
  } else if (const auto move = move_away(seen_, timing_)) {
    rebalance(*move);
  } else if (const std::string lost = loss(); !lost.empty()) {
    event(EventType::Warning, reason::kAgentLost, action::kRetry, lost);
    end_attempt(RetryOn::AgentLost, AttemptOutcome::AgentLost, reason::kAgentLost, lost, true);
  } else if (seen_.lock_loss && !seen_.lock_loss->empty()) {
    lose_lock(*seen_.lock_loss);
  } else if (until_timeout() <= Duration::zero()) {
    end_attempt(RetryOn::Timeout, AttemptOutcome::Timeout, reason::kTimeout,
                "not finished within " + format_duration(task_.spec.timeout), true);
  } else if (task_.spec.suspend && !is_bound()) {
    take_back(AttemptOutcome::Suspended, reason::kSuspended, "taken back from " + next_.agent_name);
  } else if (wants_another_agent() && why_it_stays().empty()) {
    delegate();
  } else {
    show_where_it_is();
    go_on();
  }
}

// Empty while the assignment stands.
std::string Decision::loss() const {
  if (next_.agent_name.empty() || next_.assignment.id.empty()) {
    return "the assignment was removed from the status";
  }
  if (!seen_.agent.exists) {
    return "agent " + next_.agent_name + " does not exist any more";
  }
  return seen_.agent.phase == api::AgentPhase::Offline ? "agent " + next_.agent_name + " is Offline" : "";
}

void Decision::go_on() {
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

void Decision::succeed() {
  if (const std::string why = why_unreadable(task_); !why.empty()) {
    fail(AttemptOutcome::Failed, reason::kOutputTooLarge, why);
    return;
  }
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
  if (!is_part(task_)) {
    event(EventType::Normal, reason::kSucceeded, action::kFinish,
          by + " after " + human_duration(since(next_.assigned_at, seen_.now)));
  }
}

// The reason and the message say that they are gone; nobody could use them.
void Decision::drop_outputs() {
  if (auto raw = parse_json(next_.report.raw); raw && raw->is_object()) {
    raw->erase("outputs");
    next_.report.raw = dump_json(*raw);
  }
  next_.report.outputs.clear();
}

// An attempt that did not succeed: another one, if the policy has one left.
void Decision::end_attempt(RetryOn cause, AttemptOutcome outcome, const std::string& why,
                           const std::string& message, bool retryable) {
  if (is_bound()) {
    // Who brought it to the agent may not know either.
    const bool known = cause == RetryOn::Failed && next_.report.error_code != reason::kOutcomeUnknown;
    fail(outcome, known ? why : reason::kOutcomeUnknown,
         message + (known ? " (there is one attempt: its delivery is AtMostOnce)"
                          : "; what became of the work is unknown, and as its delivery is AtMostOnce nobody "
                            "else gets it"));
    return;
  }
  const api::RetryPolicy& policy = task_.spec.retry;
  const std::string attempts = of_attempts(next_.attempt, policy.limit);
  if (!retryable || !policy.covers(cause) || next_.attempt > policy.limit) {
    fail(outcome, why,
         message + " (" + attempts + (retryable ? ")" : "; the agent says that trying again is useless)"));
    return;
  }
  const Duration delay = jittered(policy.delay(std::max(next_.attempt, 1)));
  record_attempt(outcome, why, message);
  const std::string plan =
      attempts + " ended with " + why + " (" + message + "); the next one starts in " + human_duration(delay);
  to(TaskPhase::Queued, reason::kRetrying, plan);
  queue_again_in(delay);
  event(EventType::Normal, reason::kRetrying, action::kRetry, plan);
}

// A rejection is no attempt: the number is used again.
void Decision::hand_back() {
  const std::string text = next_.report.message.empty() ? next_.report.error_message : next_.report.message;
  const std::string message = next_.agent_name + " rejected it: " + (text.empty() ? "no reason given" : text);
  if (is_bound()) {
    fail(AttemptOutcome::Rejected, reason::kOutcomeUnknown,
         message + "; but it had begun, and as its delivery is AtMostOnce nobody else gets it");
    return;
  }
  record_attempt(AttemptOutcome::Rejected, reason::kRejected, text);
  to(TaskPhase::Queued, reason::kRejected, message);
  next_.attempt = std::max(next_.attempt - 1, 0);
  event(EventType::Normal, reason::kRejected, action::kRetry, message);
  const int rejections = rejections_in_a_row(next_);
  queue_again_in(rejections < kPatience ? Duration::zero() : rejection_delay(rejections - kPatience + 1));
}

void Decision::take_back(AttemptOutcome outcome, const std::string& why, const std::string& message) {
  record_attempt(outcome, why, message);
  to(TaskPhase::Queued, why, message);
  next_.attempt = std::max(next_.attempt - 1, 0);
  event(EventType::Normal, why, action::kTakeBack, message);
  queue_again_in(Duration::zero());
}

// Nobody began it, so this is no attempt either.
void Decision::rebalance(const Move& move) {
  record_attempt(AttemptOutcome::Rebalanced, move.reason, move.message);
  to(TaskPhase::Queued, reason::kRebalanced, move.message);
  next_.attempt = std::max(next_.attempt - 1, 0);
  event(EventType::Normal, reason::kRebalanced, action::kTakeBack, move.message);
  queue_again_in(Duration::zero());
}

void Decision::delegate() {
  ++next_.delegations;
  take_back(AttemptOutcome::Delegated, reason::kDelegated,
            "given from " + next_.agent_name + " to " + task_.spec.agent_name + ", as spec.agentName says");
}

std::string Decision::why_it_stays() const {
  if (task_.spec.suspend && is_bound()) {
    return "goes on although spec.suspend is true, since it has begun and its delivery is AtMostOnce";
  }
  if (!wants_another_agent()) {
    return "";
  }
  const std::string& wanted = task_.spec.agent_name;
  if (is_bound()) {
    return "is not given to " + wanted + ", since it has begun and its delivery is AtMostOnce";
  }
  if (next_.delegations >= kMaxDelegations) {
    return "is not given to " + wanted + ", since it was given to another agent " +
           std::to_string(kMaxDelegations) + " times, which is the limit";
  }
  return seen_.objection.empty() ? ""
                                 : "is not given to " + wanted + " yet: " + wanted + " " + seen_.objection;
}

void Decision::show_where_it_is() {
  const bool runs = next_.phase == TaskPhase::Running;
  const std::string where = (runs ? "running on " : "assigned to ") + next_.agent_name;
  const std::string stays = why_it_stays();
  const std::string message = stays.empty() ? where : where + "; it " + stays;
  const bool says_so_still = next_.message.starts_with(where + "; it ");
  if (next_.message == message || (stays.empty() && !says_so_still)) {
    return;
  }
  if (!stays.empty() && wants_another_agent() && !is_bound() && next_.delegations >= kMaxDelegations) {
    event(EventType::Warning, reason::kDelegationLimit, action::kDelegate, message);
  }
  to(next_.phase, runs ? reason::kRunning : reason::kAssigned, message);
}

void Decision::queue_again_in(Duration delay) {
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

}  // namespace convoke::task
