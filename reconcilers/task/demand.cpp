#include "reconcilers/task/demand.h"

#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/api/spec_problems.h"
#include "reconcilers/task/assignment_rule.h"
#include "reconcilers/task/lock_lease.h"
#include "reconcilers/task/reasons.h"
#include "reconcilers/task/rule_book.h"
#include "reconcilers/task/strategy.h"
#include "reconcilers/task/subtask_spec.h"

namespace convoke::task {
namespace {

using api::TaskPhase;

void append_piece(std::string& key, const std::string& piece) {
  key += std::to_string(piece.size()) + ":" + piece;
}

std::vector<std::string> sorted_unique(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool wants_agent(const api::Task& task) {
  const bool waits = task.status.phase == TaskPhase::Pending || task.status.phase == TaskPhase::Queued;
  return waits && !task.meta.being_deleted() && task.spec.subtasks.empty() && !task.spec.suspend &&
         !task.spec.cancel && problems_of(task).empty();
}

Offer offer_of(const api::Task& task, WallTime now) {
  Offer offer;
  offer.pinned = task.spec.agent_name;
  if (offer.pinned.empty()) {
    offer.excluded = rejecters(task.status);
    offer.reoffer = !offer.excluded.empty() && until_reoffer(task, now) == Duration::zero();
  }
  return offer;
}

// A pinned Task has nobody else to go to: it waits until its agent may be asked again.
bool may_be_offered(const api::Task& task, WallTime now) {
  if (until_start(task, now) > Duration::zero() || until_retry(task, now) > Duration::zero()) {
    return false;
  }
  return task.spec.agent_name.empty() || until_reoffer(task, now) == Duration::zero();
}

}  // namespace

std::string Requirement::key() const {
  std::string key = std::to_string(capabilities.size()) + "/";
  for (const std::string& capability : capabilities) {
    append_piece(key, capability);
  }
  for (const auto& [name, value] : selector.match_labels) {
    append_piece(key += "=", name);
    append_piece(key, value);
  }
  for (const api::LabelSelectorRequirement& expression : selector.match_expressions) {
    append_piece(key += "?", expression.key);
    append_piece(key, expression.op);
    for (const std::string& value : expression.values) {
      append_piece(key += ",", value);
    }
  }
  key += "#" + std::string(to_string(strategy));
  append_piece(key += "/", task_type);
  key += "@" + std::to_string(rules_revision);
  if (rules != nullptr) {
    append_piece(key += "!", rules->key());
  }
  return key;
}

Requirement requirement_of(const api::Task& task) {
  Requirement requirement;
  requirement.capabilities = sorted_unique(task.spec.required_capabilities());
  requirement.selector = task.spec.requires_.agent_selector;
  requirement.strategy = task.spec.strategy;
  requirement.task_type = counts_by_type(task.spec.strategy) ? task.spec.type : "";
  return requirement;
}

Demand demand_of(const api::Task& task, WallTime now) {
  Demand demand;
  const bool live = is_live(task.status.phase);
  if (live && !task.status.agent_name.empty()) {
    demand.kind = Demand::Kind::Active;
    demand.agent_name = task.status.agent_name;
    demand.assigned_at = parse_time(task.status.assigned_at).value_or(WallTime());
  } else if (wants_agent(task) && may_be_offered(task, now)) {
    demand.kind = Demand::Kind::Waiting;
    demand.requirement = requirement_of(task);
    demand.offer = offer_of(task, now);
    demand.priority = task.spec.priority;
    demand.locks = in_order(task.spec.locks);
  }
  return demand;
}

std::vector<std::string> problems_of(const api::Task& task) {
  std::vector<std::string> problems = api::spec_problems(task.malformed);
  if (task.spec.type.empty()) {
    problems.emplace_back("spec.type: is required");
  }
  if (!task.spec.not_before.empty() && !parse_time(task.spec.not_before)) {
    problems.push_back("spec.notBefore: expected an RFC 3339 time, got \"" +
                       api::cut_text(task.spec.not_before, 64) + "\"");
  }
  add_rule_problem(task.spec, "spec", problems);
  add_subtask_problems(task.spec, problems);
  return problems;
}

Duration until_start(const api::Task& task, WallTime now) {
  const auto start = parse_time(task.spec.not_before);
  // Compared first: the way from a time of long ago does not fit into a Duration.
  return start && *start > now ? Duration(*start - now) : Duration::zero();
}

Duration until_retry(const api::Task& task, WallTime now) {
  const auto due = parse_time(task.status.retry_at);
  if (!due) {
    return Duration::zero();
  }
  // Our own jitter adds a tenth to the longest backoff; what lies beyond was written by a clock that was
  // wrong.
  const Duration longest =
      std::max({task.spec.retry.backoff.base, task.spec.retry.backoff.max, rejection_delay(10)});
  const Duration left = *due - now;
  const bool plausible = left <= longest + longest / 5 + std::chrono::seconds(1);
  return plausible ? std::max(left, Duration::zero()) : Duration::zero();
}

Duration until_reoffer(const api::Task& task, WallTime now) {
  const int rejections = rejections_in_a_row(task.status);
  if (rejections == 0) {
    return Duration::zero();
  }
  const auto rejected_at = parse_time(task.status.attempts.back().finished_at);
  if (!rejected_at || *rejected_at > now) {
    return Duration::zero();  // a clock was wrong; the next rejection is written by the right one
  }
  return std::max(rejection_delay(rejections) - (now - *rejected_at), Duration::zero());
}

std::vector<std::string> rejecters(const api::TaskStatus& status) {
  std::vector<std::string> names;
  for (const api::AttemptRecord& attempt : status.attempts) {
    const bool not_started =
        attempt.outcome == api::AttemptOutcome::Rebalanced && attempt.reason == reason::kNotStarted;
    if (attempt.outcome == api::AttemptOutcome::Rejected || not_started) {
      names.push_back(attempt.agent_name);
    }
  }
  return sorted_unique(std::move(names));
}

int rejections_in_a_row(const api::TaskStatus& status) {
  int count = 0;
  for (auto attempt = status.attempts.rbegin(); attempt != status.attempts.rend(); ++attempt) {
    if (attempt->outcome != api::AttemptOutcome::Rejected) {
      break;
    }
    ++count;
  }
  return count;
}

Duration rejection_delay(int rejections) {
  constexpr Duration kLongest = std::chrono::seconds(60);
  Duration delay = std::chrono::seconds(1);
  for (int i = 1; i < rejections && delay < kLongest; ++i) {
    delay *= 2;
  }
  return std::min(delay, kLongest);
}

Duration since(const std::string& time, WallTime now) {
  const auto then = parse_time(time);
  return then ? std::max(now - *then, Duration::zero()) : Duration::zero();
}

}  // namespace convoke::task
