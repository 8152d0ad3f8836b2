#include "reconcilers/agent/ended_attempt.h"

#include <algorithm>
#include <tuple>

#include "controller/base/time_format.h"

namespace convoke::agent {
namespace {

// The reason of an attempt that ended without a result, and is not repeated because its delivery is
// AtMostOnce.
constexpr char kOutcomeUnknown[] = "OutcomeUnknown";

// None: it says nothing about the agent.
std::optional<bool> success_of(api::AttemptOutcome outcome) {
  switch (outcome) {
    case api::AttemptOutcome::Succeeded:
      return true;
    case api::AttemptOutcome::Failed:
    case api::AttemptOutcome::Timeout:
    case api::AttemptOutcome::AgentLost:
      return false;
    default:
      return {};
  }
}

WallTime time_or(const std::string& text, WallTime otherwise) {
  const auto time = parse_time(text);
  return time ? *time : otherwise;
}

}  // namespace

std::optional<EndedAttempt> EndedAttempt::of(const api::Task& task, const api::AttemptRecord& attempt) {
  const bool unknown = attempt.reason == kOutcomeUnknown;
  const auto succeeded = unknown ? std::optional(false) : success_of(attempt.outcome);
  if (!succeeded || attempt.agent_name.empty()) {
    return {};
  }
  EndedAttempt ended;
  // An assignment that was wiped by hand left no id.
  ended.id =
      attempt.assignment_id.empty() ? task.meta.uid + "@" + attempt.finished_at : attempt.assignment_id;
  ended.type = task.spec.type;
  ended.succeeded = *succeeded;
  ended.finished_at = time_or(attempt.finished_at, WallTime{});
  // By the agent's clock it may have begun centuries before it was asked to.
  const WallTime assigned = time_or(attempt.assigned_at, ended.finished_at);
  const WallTime began = std::max(time_or(attempt.started_at, assigned), assigned);
  ended.took = ended.finished_at > began ? Duration(ended.finished_at - began) : Duration::zero();
  return ended;
}

bool EndedAttempt::operator<(const EndedAttempt& other) const {
  return std::tie(finished_at, id) < std::tie(other.finished_at, other.id);
}

}  // namespace convoke::agent
