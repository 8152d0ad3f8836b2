#include "reconcilers/workflow/approval_step.h"

#include <algorithm>
#include <vector>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/step_result.h"

namespace convoke::workflow {
namespace {

using Given = std::vector<const api::GivenApproval*>;

// What was said on this step, in this round, by anybody but the run's creator.
Given said_of(const RunSnapshot& snapshot, std::size_t step) {
  const auto& spec = snapshot.run->spec;
  Given given;
  for (const auto& approval : spec.approvals) {
    if (approval.step == snapshot.definition->step(step).name && approval.round == snapshot.status.round &&
        approval.user != spec.created_by) {
      given.push_back(&approval);
    }
  }
  return given;
}

std::string names_of(const Given& given) {
  std::string names;
  for (const auto* approval : given) {
    names += (names.empty() ? "" : ", ") + approval->user;
  }
  return names;
}

Result<std::vector<std::string>> expand_approvers(Plan& plan, std::size_t i) {
  std::vector<std::string> approvers;
  plan.scope().select_steps(plan.definition.used_steps[i]);
  for (const auto& text : plan.definition.step(i).approval->approvers) {
    const auto name = expression::expand(text, plan.scope(), "approval.approvers");
    if (!name) {
      return name.error();
    }
    if (!name->is_string()) {
      return Error{ErrorCode::Invalid, "approval.approvers: expected names of users", reason::kWrongType};
    }
    approvers.push_back(name->get<std::string>());
  }
  return approvers;
}

std::vector<std::string> users_of(const Given& given) {
  std::vector<std::string> users;
  for (const auto* approval : given) {
    users.push_back(approval->user);
  }
  return users;
}

void time_out(Plan& plan, std::size_t i) {
  auto& row = plan.rows[i];
  const auto& rule = *plan.definition.step(i).approval;
  const std::string why = "nobody decided within " + human_duration(rule.timeout);
  const auto phase = rule.on_timeout == api::ApprovalTimeout::Fail      ? api::StepPhase::Failed
                     : rule.on_timeout == api::ApprovalTimeout::Approve ? api::StepPhase::Succeeded
                                                                        : api::StepPhase::Skipped;
  end_row(row, phase, reason::kApprovalTimeout, why, plan.now);
}

void wait_on(Plan& plan, std::size_t i, const Given& approvals, const std::vector<std::string>& approvers) {
  const auto& rule = *plan.definition.step(i).approval;
  std::string who;
  for (const auto& approver : approvers) {
    who += (who.empty() ? " of " : ", ") + approver;
  }
  const std::string by = approvals.empty() ? "" : ", by " + names_of(approvals);
  explain_row(plan.rows[i], reason::kWaitingForApproval,
              std::to_string(approvals.size()) + " of " + std::to_string(rule.required) + " approvals" + by +
                  "; waiting for an approval" + who);
  if (const auto started = parse_time(plan.rows[i].started_at)) {
    if (*started + rule.timeout > plan.snapshot.now) {
      return plan.wake_at(*started + rule.timeout);
    }
    plan.rows[i].approved_by = users_of(approvals);
    time_out(plan, i);
  }
}

}  // namespace

void start_approval(Plan& plan, std::size_t i) {
  start_row(plan.rows[i], plan.definition.step(i), "", plan.now);
  advance_approval(plan, i);
}

void advance_approval(Plan& plan, std::size_t i) {
  auto& row = plan.rows[i];
  const auto approvers = expand_approvers(plan, i);
  if (!approvers) {
    return fail_row(plan, i, approvers.error());
  }
  Given approvals;
  for (const auto* given : said_of(plan.snapshot, i)) {
    const bool counts = approvers->empty() ||
                        std::find(approvers->begin(), approvers->end(), given->user) != approvers->end();
    if (counts && given->decision == api::ApprovalDecision::Reject) {
      return end_row(row, api::StepPhase::Failed, reason::kRejected,
                     "rejected by " + given->user + (given->comment.empty() ? "" : ": " + given->comment),
                     plan.now);
    }
    if (counts) {
      approvals.push_back(given);
    }
  }
  if (approvals.size() >= static_cast<std::size_t>(plan.definition.step(i).approval->required)) {
    row.approved_by = users_of(approvals);
    return end_row(row, api::StepPhase::Succeeded, reason::kApproved, "approved by " + names_of(approvals),
                   plan.now);
  }
  wait_on(plan, i, approvals, *approvers);
}

Json approval_outputs(const RunSnapshot& snapshot, const api::StepStatus& row) {
  Json outputs = {{"approvedBy", row.approved_by}, {"comments", Json::object()}};
  const auto counted = [&](const auto& given) {
    return given.step == row.name && given.round == row.round &&
           std::find(row.approved_by.begin(), row.approved_by.end(), given.user) != row.approved_by.end();
  };
  for (const auto& given : snapshot.run->spec.approvals) {
    if (counted(given) && !given.comment.empty()) {
      outputs["comments"][given.user] = given.comment;
    }
  }
  return outputs;
}

}  // namespace convoke::workflow
