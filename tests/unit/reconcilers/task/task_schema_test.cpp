// Whatever stands in specs, reports and Leases, the API server takes the status of the Task.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/task/agent_slot.h"
#include "reconcilers/task/lock_lease.h"
#include "reconcilers/task/lock_table.h"
#include "reconcilers/task/rule_book.h"
#include "reconcilers/task/strategy.h"
#include "reconcilers/task/subtask_spec.h"
#include "reconcilers/task/task_decide.h"
#include "tests/fakes/crd_schema.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::ReportState;
using api::TaskPhase;
using ::testing::IsEmpty;

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> kTexts = {"", std::string("\0\x01\x7f", 3), "\xff\xfe no UTF-8 \x80",
                                                  repeated("x", 32768), repeated("\U0001F680", 30'000)};
  return kTexts;
}

const std::string kLongName(253, 'n');

void expect_fits(const api::Task& task, const api::TaskStatus& status) {
  static const fakes::CrdSchema kSchema("tasks");
  Json body = api::status_update(task, status);
  body["spec"] = {{"type", "x"}};
  EXPECT_THAT(kSchema.problems(body), IsEmpty());
}

TaskSnapshot snapshot_with_full_id(const api::Task& task) {
  return {task, {true, api::AgentPhase::Ready}, {}, {}, kNow, "0123456789abcdef", 0.5};
}

// Decides until nothing is to be written, and looks at every status.
api::Task follow(
    api::Task task, const std::function<void(TaskSnapshot&)>& observe = [](auto&) {}) {
  for (int i = 0; i < 3; ++i) {
    TaskSnapshot snapshot = snapshot_with_full_id(task);
    observe(snapshot);
    const TaskDecision decision = decide(snapshot);
    EXPECT_FALSE(decision.defect);
    if (!decision.status) break;
    expect_fits(task, *decision.status);
    task.status = *decision.status;
  }
  return task;
}

TEST(TaskSchema, ReportsOfAnyText) {
  for (const std::string& text : hostile_texts()) {
    for (const ReportState state :
         {ReportState::Running, ReportState::Succeeded, ReportState::Failed, ReportState::Rejected}) {
      for (const bool bound : {false, true}) {
        api::Task task = make_assigned();
        task.spec.delivery = bound ? api::Delivery::AtMostOnce : api::Delivery::AtLeastOnce;
        report(task, state, text);
        task.status.report.error_message = text;
        task.status.report.error_code = api::cut_text(text, 253);
        follow(task);
      }
    }
  }
}

TEST(TaskSchema, ReportsOfAnyTime) {
  for (const char* started :
       {"garbage", "1678-01-01T00:00:00Z", "2261-12-31T23:59:59Z", "0001-01-01T00:00:00Z"}) {
    api::Task task = make_assigned();
    report(task, ReportState::Running);
    task.status.report.started_at = started;
    const api::Task running = follow(task, [](TaskSnapshot& seen) { seen.report_seen_for = 1s; });
    EXPECT_EQ(running.status.phase, TaskPhase::Running);
    EXPECT_GE(running.status.started_at, task.status.assigned_at);
    EXPECT_LE(running.status.started_at, at(0s));
  }
}

TEST(TaskSchema, ReasonsWhyAnAgentDoesNotFit) {
  Requirement requirement;
  requirement.capabilities = {repeated("c", 253)};
  for (int i = 0; i < 64; ++i) {
    requirement.selector.match_labels[std::to_string(i) + kLongName] = kLongName;
    requirement.selector.match_expressions.push_back(
        {kLongName, "In", std::vector<std::string>(64, kLongName)});
  }
  Explanation explanation{Verdict::NoEligibleAgent, {}};
  for (const bool is_capable : {false, true}) {
    const api::Agent agent = make_agent(kLongName.substr(0, 63),
                                        is_capable ? requirement.capabilities : std::vector<std::string>{});
    while (explanation.rejected.size() < (is_capable ? 10U : 5U)) {
      explanation.rejected.push_back({agent.meta.name, AgentFacts::of(agent).objection(requirement)});
    }
  }
  for (const Verdict verdict :
       {Verdict::NoAgents, Verdict::NoEligibleAgent, Verdict::OnlyRejecters, Verdict::AgentsBusy}) {
    explanation.verdict = verdict;
    follow(make_queued(), [&](TaskSnapshot& seen) {
      seen.outlook.explanation = explanation;
      seen.outlook.waited = 1h;
    });
  }
}

TEST(TaskSchema, ReasonsOfRules) {
  for (const std::string& text : hostile_texts()) {
    RuleBook book;
    book.set({{"r" + kLongName, {}, "false", text}, {"q", {}, "agent." + repeated("x", 4000), ""}});
    api::Task task = make_queued();
    task.spec.requires_.rule = "task.metadata.name == b'\\xff' + " + repeated("1", 3000);
    Requirement requirement;
    book.add_rules(task, requirement);
    const std::string objection = requirement.rules->objection(Json::object());
    follow(task, [&](TaskSnapshot& seen) {
      seen.outlook.explanation = Explanation{Verdict::NoEligibleAgent, {{"a", objection}}};
    });
  }
}

TEST(TaskSchema, ScoresOfAnySize) {
  for (const double cost : {0.0, 1e-300, 9.99e31, 1e38}) {
    for (const api::Strategy strategy : {api::Strategy::CostOptimized, api::Strategy::PerformanceBased}) {
      api::TaskTypeStatistics statistics;
      statistics.mean_duration = Duration::max();
      const double score = expected_cost({cost, cost}, &statistics);
      follow(make_queued(), [&](TaskSnapshot& seen) {
        seen.outlook.reservation = Reservation{
            "a", strategy == api::Strategy::CostOptimized ? score : cost, 2147483647, {}, strategy};
      });
    }
  }
}

// Whoever may write Leases may write this.
kube::Lease hostile_lease(const std::string& annotation, const std::string& identity) {
  kube::Lease lease = new_lock("default", "deploy", 0).lease;
  lease.meta.labels[api::label::kLock] = "deploy";
  lease.meta.annotations[kLockHoldersAnnotation] = annotation;
  lease.holder_identity = identity;
  return lease;
}

TEST(TaskSchema, WhoHoldsALock) {
  for (const std::string& text : hostile_texts()) {
    Json holders = Json::array();
    for (int i = 0; i < 5; ++i)
      holders.push_back({{"uid", "u" + std::to_string(i) + text}, {"task", kLongName}});
    Json longer = Json::array({{{"uid", "u"}, {"task", text}}});
    for (const auto& [annotation, identity] :
         {std::pair{dump_json(holders), "u0" + text}, std::pair{dump_json(longer), std::string("u")},
          std::pair{text, text}}) {
      LockTable table;
      table.set_holders({"default", "deploy"}, LockRecord::of(hostile_lease(annotation, identity)));
      TaskEntry entry;
      entry.key = {"default", "waits"};
      entry.locks = {{"deploy", api::LockMode::Exclusive, 0}};
      table.enqueue(entry);
      if (LockTable::is_clear(entry)) continue;
      follow(make_queued(), [&](TaskSnapshot& seen) {
        seen.outlook.lock_wait = table.explain(entry);
        seen.outlook.waited = 1h;
      });
    }
  }
}

TEST(TaskSchema, ALostLock) {
  for (const std::string& text : hostile_texts()) {
    follow(make_running(), [&](TaskSnapshot& seen) { seen.lock_loss = "held by " + text; });
  }
}

TEST(TaskSchema, AHundredSubtasks) {
  api::Task whole = make_task(kLongName);
  std::vector<SubtaskState> states;
  for (int i = 0; i < 100; ++i) {
    whole.spec.subtasks.push_back({std::to_string(i) + std::string(60, 's'), R"({"type":"x"})"});
    auto child = std::make_shared<api::Task>(make_task(subtask_name(whole, whole.spec.subtasks.back())));
    child->status.phase = i % 2 == 0 ? TaskPhase::Failed : TaskPhase::Succeeded;
    child->status.reason = "Failed";
    child->status.report.outputs = "{\"a\":\"" + repeated("x", 60'000) + "\"}";
    states.push_back({child, false, ""});
  }
  for (const auto strategy : {api::AggregationStrategy::All, api::AggregationStrategy::Any}) {
    whole.spec.aggregation.strategy = strategy;
    const api::Task ended = follow(whole, [&](TaskSnapshot& seen) { seen.subtasks = states; });
    EXPECT_EQ(ended.status.phase, TaskPhase::Failed);
  }
  for (const std::string& text : hostile_texts()) {
    states[7] = {nullptr, false, "refused: " + text};
    follow(whole, [&](TaskSnapshot& seen) { seen.subtasks = states; });
  }
}

TEST(TaskSchema, SpecsThatCannotWork) {
  for (const std::string& text : hostile_texts()) {
    api::Task task = make_task();
    task.malformed.assign(20, "spec.parameters[" + text + "]: is wrong");
    follow(task);
    task = make_task();
    task.spec.requires_.rule = "agent." + text + " +";
    follow(task);
    task = make_task();
    task.spec.cancel = api::Cancel{text};
    follow(task);
  }
}

TEST(TaskSchema, DurationsOfAnySize) {
  for (const Duration duration : {Duration(1), Duration(400us), Duration(24h * 3650)}) {
    api::Task task = make_running();
    task.spec.timeout = duration;
    task.spec.retry.backoff = {api::BackoffType::Fixed, duration, duration};
    follow(task);
    task.spec.deadline = duration;
    follow(task);
    api::TaskSpec spec = task.spec;
    spec.aggregation.timeout = duration;
    static const fakes::CrdSchema kSchema("tasks");
    EXPECT_THAT(kSchema.problems({{"spec", api::spec_to_json(spec)}}), IsEmpty());
  }
}

TEST(TaskSchema, MovesFromOneAgentToAnother) {
  api::Task task = make_running();
  task.status.agent_name = task.status.attempts.emplace_back().agent_name = kLongName;
  task.spec.agent_name = std::string(63, 'b');
  for (const std::string& text : hostile_texts()) {
    follow(task, [&](TaskSnapshot& seen) { seen.objection = text; });
  }
}

TEST(TaskSchema, WhatIsNestedTooDeeplyEndsTheAttempt) {
  Json outputs = 1;
  for (int i = 0; i < 170; ++i) outputs = Json{{"a", std::move(outputs)}};
  api::Task before = make_assigned();
  Json object = api::status_update(before, before.status);
  object["spec"] = {{"type", "x"}};
  object["status"]["report"] = {
      {"assignmentID", kAssignmentId}, {"state", "Succeeded"}, {"outputs", outputs}};
  api::Task task = api::Task::from_json(object);
  task.meta = before.meta;
  const api::Task ended = follow(task);
  EXPECT_EQ(ended.status.phase, TaskPhase::Failed);
  EXPECT_EQ(ended.status.reason, reason::kOutputTooLarge);
}

}  // namespace
}  // namespace convoke::task
