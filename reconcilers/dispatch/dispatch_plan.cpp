#include "reconcilers/dispatch/dispatch_plan.h"

#include <algorithm>

#include "controller/base/time_format.h"

namespace convoke::dispatch {
namespace {

using api::AttemptOutcome;
using api::DispatchMode;

bool ended_by_itself(AttemptOutcome outcome) {
  return outcome == AttemptOutcome::Succeeded || outcome == AttemptOutcome::Failed ||
         outcome == AttemptOutcome::Rejected;
}

// An agent that came for it itself, before it became one that Tasks are brought to.
bool has_begun(const api::Task& task) {
  const api::Report& report = task.status.report;
  return report.assignment_id == task.status.assignment.id && report.state != api::ReportState::None;
}

bool is_final(const api::Report& report) {
  return report.state == api::ReportState::Succeeded || report.state == api::ReportState::Failed ||
         report.state == api::ReportState::Rejected;
}

}  // namespace

bool brings_tasks_to(const api::Agent* agent) {
  return agent != nullptr && agent->spec.dispatch.mode != DispatchMode::Pull;
}

bool is_live(const api::Task& task) {
  const api::TaskStatus& status = task.status;
  return is_live(status.phase) && !status.assignment.id.empty() && !task.meta.being_deleted();
}

bool is_reported_final(const api::Task& task) {
  return task.status.report.assignment_id == task.status.assignment.id && is_final(task.status.report);
}

bool must_be_stopped(const api::Task& task) {
  const api::TaskStatus& status = task.status;
  const std::string& brought = status.dispatch.assignment_id;
  if (brought.empty() || (is_live(task) && status.assignment.id == brought)) return false;
  const auto record = std::find_if(status.attempts.rbegin(), status.attempts.rend(),
                                   [&](const auto& attempt) { return attempt.assignment_id == brought; });
  if (record != status.attempts.rend()) return !ended_by_itself(record->outcome);
  // It is being deleted in the middle of its work.
  return status.assignment.id == brought && task.meta.being_deleted() && !api::is_terminal(status.phase) &&
         !is_reported_final(task);
}

Step plan(const PlanInput& input) {
  const api::Task& task = input.task;
  const api::TaskStatus& status = task.status;
  if (!is_live(task) && must_be_stopped(task)) return Step::Stop;
  if (!is_live(task) || !brings_tasks_to(input.agent) || is_reported_final(task)) return Step::Nothing;
  const api::TaskDispatch& brought = status.dispatch;
  if (brought.assignment_id != status.assignment.id) {
    const bool may_begin = task.spec.delivery == api::Delivery::AtLeastOnce || !has_begun(task);
    return may_begin ? Step::Begin : Step::AwaitReport;
  }
  if (!brought.accepted_at.empty()) {
    return brought.location.empty() && brought.job_name.empty() ? Step::AwaitReport : Step::Ask;
  }
  const bool may_send =
      task.spec.delivery == api::Delivery::AtLeastOnce || input.begun_here == status.assignment.id;
  return may_send ? Step::Send : Step::OutcomeUnknown;
}

Duration time_left(const api::Task& task, WallTime now) {
  const auto assigned = parse_time(task.status.assigned_at);
  const auto created = parse_time(task.meta.creation_timestamp);
  Duration left = task.spec.timeout;
  if (assigned) left = std::min(left, *assigned + task.spec.timeout - now);
  if (created) left = std::min(left, *created + task.spec.deadline - now);
  return std::max(left, Duration::zero());
}

}  // namespace convoke::dispatch
