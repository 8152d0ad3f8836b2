// Tasks and Agents for tests, complete enough for every decision. Change what a test is about.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "controller/base/time_format.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task::testing {

inline const WallTime kNow = *parse_time("2026-01-01T12:00:00Z");
inline constexpr char kAssignmentId[] = "uid-buil-1-abc";

inline std::string at(Duration offset) {
  return format_micro_time(kNow + offset);
}

inline api::Task make_task(const std::string& name = "build") {
  api::Task task;
  task.meta.namespace_ = "default";
  task.meta.name = name;
  task.meta.uid = "uid-" + name;
  task.meta.resource_version = "10";
  task.meta.generation = 1;
  task.meta.creation_timestamp = at(std::chrono::minutes(-1));
  task.spec.type = "compile";
  return task;
}

inline api::Task make_queued(const std::string& reason = reason::kAgentsBusy) {
  api::Task task = make_task();
  task.status.present = true;
  task.status.phase = api::TaskPhase::Queued;
  task.status.reason = reason;
  task.status.observed_generation = 1;
  task.status.queued_at = at(std::chrono::seconds(-50));
  return task;
}

// Assigned to builder-1 ten seconds ago, as its first attempt.
inline api::Task make_assigned() {
  api::Task task = make_queued(reason::kAssigned);
  task.status.phase = api::TaskPhase::Assigned;
  task.status.attempt = 1;
  task.status.agent_name = "builder-1";
  task.status.assignment.id = kAssignmentId;
  task.status.assigned_at = at(std::chrono::seconds(-10));
  return task;
}

inline api::Task make_running() {
  api::Task task = make_assigned();
  task.status.phase = api::TaskPhase::Running;
  task.status.reason = reason::kRunning;
  task.status.started_at = at(std::chrono::seconds(-9));
  return task;
}

inline void report(api::Task& task, api::ReportState state, const std::string& message = "") {
  task.status.report.assignment_id = task.status.assignment.id;
  task.status.report.state = state;
  task.status.report.message = message;
  task.status.report.raw = R"({"assignmentID":")" + task.status.assignment.id + R"("})";
}

inline api::AttemptRecord rejection(const std::string& agent, Duration when) {
  api::AttemptRecord record;
  record.attempt = 1;
  record.agent_name = agent;
  record.outcome = api::AttemptOutcome::Rejected;
  record.finished_at = at(when);
  return record;
}

inline api::Agent make_agent(const std::string& name, std::vector<std::string> capabilities = {"compile"},
                             int capacity = 10) {
  api::Agent agent;
  agent.meta.namespace_ = "default";
  agent.meta.name = name;
  agent.meta.uid = "uid-" + name;
  agent.meta.resource_version = "10";
  agent.meta.generation = 1;
  agent.spec.capabilities = std::move(capabilities);
  agent.spec.capacity = capacity;
  agent.status.present = true;
  agent.status.phase = api::AgentPhase::Ready;
  return agent;
}

}  // namespace convoke::task::testing
