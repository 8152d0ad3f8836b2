#include "reconcilers/workflow/sub_run.h"

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

bool can_go_on(const api::WorkflowRun& run) {
  const bool was_refused = run.spec.retry_from.round > run.status.round;
  const auto& why = run.status.reason;
  return run.status.phase == api::RunPhase::Failed && why != reason::kCompensationFailed &&
         why != reason::kStatusTooLarge && !run.spec.cancel && !run.meta.being_deleted() &&
         !run.status.steps.empty() && !was_refused;
}

std::optional<WallTime> next_round_at(const api::Step& step, const Child& child) {
  const auto ended = parse_time(child.completed_at());
  return ended ? std::optional(*ended + step.retry->delay(child.run->status.round + 1)) : std::nullopt;
}

}  // namespace

std::optional<WallTime> end_of_time(const api::Step& step, const Child& child) {
  const auto started = parse_time(child.meta().creation_timestamp);
  return step.timeout && started ? std::optional(*started + *step.timeout) : std::nullopt;
}

bool is_to_go_on(const api::Step& step, const Child& child) {
  if (!step.workflow || !step.retry || !child.run || !child.ended() || !can_go_on(*child.run)) {
    return false;
  }
  const auto end = end_of_time(step, child);
  const auto next = next_round_at(step, child);
  if (!next || (end && *next >= *end)) {
    return false;
  }
  const auto& status = child.run->status;
  const auto cause = status.reason == reason::kTimeout ? api::RetryOn::Timeout : api::RetryOn::Failed;
  return step.retry->covers(cause) && status.round < step.retry->limit;
}

void go_on(Plan& plan, std::size_t i, const Child& child) {
  const auto next = next_round_at(plan.definition.step(i), child);
  if (!next || plan.snapshot.run->spec.suspend) {
    return;
  }
  if (*next > plan.snapshot.now) {
    return plan.wake_at(*next);
  }
  plan.patches.push_back({child, {{"spec", {{"retryFrom", {{"round", child.run->status.round + 1}}}}}}});
}

bool limit_time(Plan& plan, std::size_t i, const Child& child) {
  const auto& step = plan.definition.step(i);
  const auto end = end_of_time(step, child);
  if (!end || child.ended()) {
    return false;
  }
  if (*end > plan.snapshot.now) {
    plan.wake_at(*end);
    return false;
  }
  plan.cancel(child, "step timed out after " + human_duration(*step.timeout));
  return true;
}

}  // namespace convoke::workflow
