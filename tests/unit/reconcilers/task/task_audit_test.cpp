#include "reconcilers/task/task_audit.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace testing;
using CauseKind = api::AuditCause::Kind;

Json answer(const std::string& manager = "", const std::string& field = "") {
  Json object = {{"metadata", {{"resourceVersion", "11"}}}};
  if (!manager.empty()) {
    const Json spec = {{"f:" + field, Json::object()}};
    object["metadata"]["managedFields"] =
        Json::array({{{"manager", manager}, {"fieldsV1", {{"f:spec", spec}}}}});
  }
  return object;
}

api::TaskStatus ended(const api::Task& task, api::TaskPhase phase, api::AttemptOutcome outcome,
                      const std::string& why) {
  api::TaskStatus after = task.status;
  after.phase = phase;
  after.reason = why;
  api::AttemptRecord record;
  record.outcome = outcome;
  after.attempts.push_back(record);
  return after;
}

TEST(TaskAudit, ProgressIsNoDecision) {
  const api::Task task = make_running();
  api::TaskStatus after = task.status;
  after.report.progress = 50;
  after.message = "half";
  EXPECT_FALSE(audit_entry(task, after, answer()));
}

TEST(TaskAudit, AnAssignmentIsTheOperatorsAndIsToldInFull) {
  const api::Task task = make_task();
  const api::Task assigned = make_assigned();
  const auto entry = audit_entry(task, assigned.status, answer());
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->from, "");
  EXPECT_EQ(entry->to, "Assigned");
  EXPECT_EQ(entry->cause.kind, CauseKind::Operator);
  EXPECT_EQ(entry->assignment.id, kAssignmentId);
  EXPECT_EQ(entry->agent_name, "builder-1");
  EXPECT_EQ(entry->object.resource_version, "11");
}

TEST(TaskAudit, WhatAnAgentReportedIsItsOwnWord) {
  const api::Task task = make_running();
  const auto failed = audit_entry(
      task, ended(task, api::TaskPhase::Queued, api::AttemptOutcome::Failed, reason::kRetrying), answer());
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->cause, (api::AuditCause{CauseKind::Agent, "builder-1"}));
  EXPECT_TRUE(failed->assignment.id.empty()) << "told once, when it was made";
}

TEST(TaskAudit, TimeAndLossAreTheOperatorsWord) {
  const api::Task task = make_running();
  for (const auto outcome : {api::AttemptOutcome::Timeout, api::AttemptOutcome::AgentLost}) {
    const auto entry =
        audit_entry(task, ended(task, api::TaskPhase::Failed, outcome, reason::kTimeout), answer());
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->cause.kind, CauseKind::Operator);
  }
}

TEST(TaskAudit, ACancelledTaskNamesWhoAskedForIt) {
  const api::Task task = make_running();
  const auto after =
      ended(task, api::TaskPhase::Cancelled, api::AttemptOutcome::Cancelled, reason::kCancelled);
  EXPECT_EQ(audit_entry(task, after, answer("kubectl-patch", "cancel"))->cause,
            (api::AuditCause{CauseKind::User, "kubectl-patch"}));
  EXPECT_EQ(audit_entry(task, after, answer("convoke-operator", "cancel"))->cause.kind, CauseKind::Operator);
}

TEST(TaskAudit, ADelegatedTaskNamesWhoAskedForIt) {
  const api::Task task = make_running();
  const auto after = ended(task, api::TaskPhase::Queued, api::AttemptOutcome::Delegated, reason::kDelegated);
  EXPECT_EQ(audit_entry(task, after, answer("kubectl-patch", "agentName"))->cause,
            (api::AuditCause{CauseKind::User, "kubectl-patch"}));
}

TEST(TaskAudit, ASubtaskNamesTheTaskThatItIsOf) {
  Json created = answer();
  created["metadata"]["name"] = "whole-a";
  const auto entry = audit_of_creation(created, make_task("whole"));
  EXPECT_EQ(entry.action, api::AuditAction::Created);
  EXPECT_EQ(entry.object.name, "whole-a");
  EXPECT_EQ(entry.owner, "Task/whole");
}

}  // namespace
}  // namespace convoke::task
