#include "reconcilers/task/decision.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/applied.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/phase_table.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

// Until it is asked again whether a Task has its locks.
constexpr Duration kVerifyDelay = std::chrono::seconds(5);

bool says_that_it_began(const api::Report* report) {
  if (report == nullptr) {
    return false;
  }
  const bool refused = report->state == api::ReportState::None || report->state == api::ReportState::Rejected;
  return !refused || !report->started_at.empty();
}

}  // namespace

TaskDecision Decision::run() {
  if (task_.meta.being_deleted()) {
    return {};
  }
  if (api::is_terminal(next_.phase)) {
    decide_finished();
  } else if (has_subtasks() && next_.phase == TaskPhase::Running) {
    decide_subtasks();
  } else if (is_live(next_.phase)) {
    decide_live();
  } else {
    decide_idle();
  }
  return conclude();
}

// --- What is the case ---

const api::Report* Decision::current_report() const {
  const bool current = !next_.assignment.id.empty() && next_.report.assignment_id == next_.assignment.id;
  return current ? &next_.report : nullptr;
}

bool Decision::reported(ReportState state) const {
  return current_report() != nullptr && current_report()->state == state;
}

bool Decision::is_bound() const {
  const bool begun = next_.phase == TaskPhase::Running || says_that_it_began(current_report());
  return begun && !is_withdrawn() && task_.spec.delivery == api::Delivery::AtMostOnce;
}

bool Decision::is_withdrawn() const {
  const api::Report* report = current_report();
  return !seen_.agent.pulls && report != nullptr && report->state == ReportState::None &&
         report->started_at.empty() && next_.dispatch.assignment_id.empty();
}

bool Decision::wants_another_agent() const {
  return !task_.spec.agent_name.empty() && task_.spec.agent_name != next_.agent_name;
}

Duration Decision::until_deadline() const {
  return task_.spec.deadline - since(task_.meta.creation_timestamp, seen_.now);
}

Duration Decision::until_timeout() const {
  return task_.spec.timeout - since(next_.assigned_at, seen_.now);
}

// None: it stays.
std::optional<Duration> Decision::until_removal() const {
  const bool is_kept = is_part(task_) || api::is_applied_by_a_tool(task_.meta);
  if (is_kept && !task_.spec.ttl_after_finished) {
    return {};
  }
  const bool succeeded = next_.phase == TaskPhase::Succeeded;
  const Duration usual = succeeded ? timing_.ttl_after_success : timing_.ttl_after_failure;
  return task_.spec.ttl_after_finished.value_or(usual) - since(next_.completed_at, seen_.now);
}

std::string Decision::now_text() const {
  return format_micro_time(seen_.now);
}

std::string Decision::start_time() const {
  if (!next_.started_at.empty()) {
    return next_.started_at;
  }
  // The agent's clock may be wrong by centuries.
  const auto reported = parse_time(next_.report.started_at);
  const auto assigned = parse_time(next_.assigned_at);
  if (!reported || !assigned || *reported < *assigned) {
    return next_.assigned_at;
  }
  return format_micro_time(std::min(*reported, seen_.now));
}

// --- Ends ---

void Decision::decide_finished() {
  const auto left = until_removal();
  out_.remove = left && *left <= Duration::zero();
  if (!next_.subtasks.empty()) {
    show_progress(subtask_rows(task_, seen_.subtasks));
  }
}

void Decision::cancel() {
  const std::string& text = task_.spec.cancel->reason;
  const std::string message = text.empty() ? "cancelled" : "cancelled: " + text;
  end(TaskPhase::Cancelled, AttemptOutcome::Cancelled, reason::kCancelled, message);
  event(EventType::Normal, reason::kCancelled, action::kCancel, message);
}

void Decision::exceed_deadline() {
  const std::string message =
      "not finished within " + format_duration(task_.spec.deadline) + " of its creation";
  end(TaskPhase::Failed, AttemptOutcome::Timeout, reason::kDeadlineExceeded, message);
  event(EventType::Warning, reason::kDeadlineExceeded, action::kFinish, message);
}

void Decision::fail(AttemptOutcome outcome, const std::string& why, const std::string& message) {
  end(TaskPhase::Failed, outcome, why, message);
  event(EventType::Warning, reason::kFailed, action::kFinish, why + ": " + message);
}

void Decision::end(TaskPhase phase, AttemptOutcome outcome, const std::string& why,
                   const std::string& message) {
  const bool live = is_live(next_.phase);
  if (live && !has_subtasks()) {
    next_.started_at = current_report() != nullptr ? start_time() : next_.started_at;
    record_attempt(outcome, why, message);
  }
  to(phase, why, message);
}

// --- Putting it together ---

void Decision::record_attempt(AttemptOutcome outcome, const std::string& why, const std::string& message) {
  out_.attempt_ended = outcome;
  const std::string started = current_report() != nullptr ? start_time() : next_.started_at;
  next_.attempts.push_back({next_.attempt, next_.agent_name, next_.assignment.id, outcome, why,
                            api::cut_text(message, kMaxMessageBytes), next_.assigned_at, started,
                            now_text()});
  if (next_.attempts.size() > kMaxAttemptRecords) {
    next_.attempts.erase(next_.attempts.begin());
  }
}

void Decision::to(TaskPhase phase, const std::string& why, const std::string& message, bool stalled) {
  const std::string shown = api::cut_text(message, kMaxMessageBytes);
  auto changed = transition(next_, {phase, why, shown, task_.meta.generation, seen_.now, stalled});
  if (!changed) {
    out_.defect = std::move(changed).error();
  }
}

void Decision::event(EventType type, const std::string& why, const std::string& what,
                     const std::string& note) {
  out_.events.push_back({type, why, what, note});
}

Duration Decision::jittered(Duration duration) const {
  const double factor = 0.9 + 0.2 * seen_.jitter;
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, Duration::period>(static_cast<double>(duration.count()) * factor));
}

void Decision::look_again(Duration in) {
  const Duration soonest = std::max(in, Duration::zero());
  out_.look_again = std::min(out_.look_again.value_or(soonest), soonest);
}

// Nothing is written now, not even that the spec was seen: the write that is due soon says all.
void Decision::put_off(Duration for_this_long) {
  put_off_ = true;
  look_again(for_this_long);
}

// What time alone will change about the state that is reached now.
void Decision::plan_next_look() {
  if (api::is_terminal(next_.phase)) {
    if (const auto left = until_removal()) {
      look_again(*left);
    }
    return;
  }
  if (next_.reason != reason::kInvalidSpec) {
    look_again(until_deadline());
  }
  const bool live = is_live(next_.phase);
  if (live && !has_subtasks()) {
    look_again(until_timeout());
    if (const auto left = until_overdue(task_.spec, next_, timing_, seen_.now)) {
      look_again(*left > Duration::zero() ? *left : jittered(timing_.rebalance_after));
    }
    if (!seen_.lock_loss) {
      look_again(kVerifyDelay);
    }
  }
}

TaskDecision Decision::conclude() {
  if (out_.defect) {
    TaskDecision nothing;
    nothing.defect = std::move(out_.defect);
    return nothing;
  }
  plan_next_look();
  if (next_.reason != reason::kWaitingForLock) {
    next_.waiting_for_lock.reset();
  }
  direct_subtasks();
  if (next_.present && !put_off_ && next_.observed_generation != task_.meta.generation) {
    observe_generation(next_, task_.meta.generation);
  }
  if (next_ != task_.status && !out_.remove) {
    out_.status = std::move(next_);
  }
  return std::move(out_);
}

}  // namespace convoke::task
