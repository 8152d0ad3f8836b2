#include <algorithm>

#include "reconcilers/api/spec_problems.h"
#include "reconcilers/task/aging.h"
#include "reconcilers/task/decision.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/reasons.h"
#include "reconcilers/task/strategy.h"

namespace convoke::task {
namespace {

std::string join(const std::vector<api::RejectedAgent>& agents) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(agents.size(), kShown); ++i) {
    text += (i == 0 ? "" : "; ") + agents[i].agent_name + " " + agents[i].reason;
  }
  return agents.size() > kShown ? text + "; and others" : text;
}

// Who got the Task, and why not the others.
std::string explain(const std::string& agent_name, const api::Assignment& assignment) {
  const bool is_cost = assignment.strategy == to_string(api::Strategy::CostOptimized);
  const std::string text = "assigned to " + agent_name + " (" + assignment.strategy +
                           (is_cost ? ", cost " : ", score ") + assignment.score + ", " +
                           std::to_string(assignment.candidates) +
                           (assignment.candidates == 1 ? " candidate)" : " candidates)");
  return assignment.rejected.empty() ? text : text + "; rejected: " + join(assignment.rejected);
}

}  // namespace

void Decision::decide_idle() {
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

void Decision::decide_waiting() {
  if (seen_.first != nullptr) {
    follow(*seen_.first);
  } else if (const Duration early = until_start(task_, seen_.now); early > Duration::zero()) {
    to(TaskPhase::Queued, reason::kNotBefore,
       "is given to nobody before " + task_.spec.not_before +
           (early < until_deadline() ? "" : ", when its deadline is over: set a longer spec.deadline"));
    look_again(early);
  } else if (has_subtasks()) {
    start_subtasks();
  } else if (const Duration left = until_retry(task_, seen_.now); left > Duration::zero()) {
    if (next_.phase != TaskPhase::Queued) {
      to(TaskPhase::Queued, reason::kRetrying, "waits for its next attempt");
    }
    look_again(left);
  } else if (seen_.outlook.reservation) {
    assign(*seen_.outlook.reservation);
  } else if (seen_.outlook.lock_wait) {
    wait_for_lock(*seen_.outlook.lock_wait);
  } else if (seen_.outlook.explanation) {
    wait(*seen_.outlook.explanation);
  } else {
    const Duration reoffer = until_reoffer(task_, seen_.now);
    put_off(reoffer > Duration::zero() ? reoffer : timing_.busy_write_delay);
  }
}

// Not run itself; it ends with the first one, or takes its place.
void Decision::follow(const api::Task& first) {
  if (first.status.phase != TaskPhase::Succeeded) {
    to(TaskPhase::Queued, reason::kDuplicateOf,
       "Task " + first.meta.name + " has the same idempotencyKey and came first; this one takes its result");
    return;
  }
  if (next_.phase == TaskPhase::Pending) {
    to(TaskPhase::Queued, reason::kDuplicateOf, "");
  }
  next_.result_from = first.status.result_from.empty() ? first.meta.name : first.status.result_from;
  set_result(first.status.report.outputs);
  const std::string message =
      "has the result of Task " + next_.result_from + ", which has the same idempotencyKey";
  to(TaskPhase::Succeeded, reason::kSucceeded, message);
  event(EventType::Normal, reason::kSucceeded, action::kFinish, message);
}

void Decision::reject_spec(const std::string& problems) {
  if (next_.reason != reason::kInvalidSpec) {
    event(EventType::Warning, reason::kInvalidSpec, action::kValidate, problems);
  }
  to(TaskPhase::Pending, reason::kInvalidSpec, problems, true);
}

void Decision::suspend() {
  to(TaskPhase::Pending, reason::kSuspended, "nothing is given out until spec.suspend is false");
  if (!next_.subtasks.empty()) {
    show_progress(subtask_rows(task_, seen_.subtasks));
  }
}

void Decision::assign(const Reservation& reservation) {
  if (next_.phase == TaskPhase::Pending) {
    to(TaskPhase::Queued, reason::kQueued, "");
  }
  ++next_.attempt;
  next_.report = {};
  next_.agent_name = reservation.agent_name;
  const std::string id =
      task_.meta.uid.substr(0, 8) + "-" + std::to_string(next_.attempt) + "-" + seen_.random_id;
  next_.assignment = {id,
                      to_string(reservation.strategy),
                      format_score(reservation.strategy, reservation.score),
                      reservation.candidates,
                      now_text(),
                      reservation.rejected,
                      {}};
  to(TaskPhase::Assigned, reason::kAssigned, "assigned to " + reservation.agent_name);
  event(EventType::Normal, reason::kAssigned, action::kAssign,
        explain(reservation.agent_name, next_.assignment));
}

void Decision::wait(const Explanation& explanation) {
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
  if (const auto step = until_next_step(task_, timing_.aging_interval, seen_.now)) {
    look_again(*step);
  }
  if (explanation.verdict == Verdict::OnlyRejecters) {
    look_again(until_reoffer(task_, seen_.now));
  }
}

std::string Decision::describe(const Explanation& explanation) const {
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

}  // namespace convoke::task
