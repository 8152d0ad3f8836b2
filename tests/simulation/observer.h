// The judge: sees every write of a Task, a Workflow and a WorkflowRun as the API server takes it, and knows
// what must never happen. It has rules of its own and shares no code with what it judges.
//
//   - phases move along the table only; a terminal phase stays;
//   - an agent changes nothing but the report of a Task that is assigned to it, under the current assignment
//   id;
//   - an assignment id is never used twice, and no agent has more Tasks than its capacity;
//   - a Task succeeds only by the report of the agent that it is assigned to, and never twice;
//   - a service's Task succeeds by what that service made under the current assignment, and one that is
//     AtMostOnce is taken once, whoever asks;
//   - attempts are counted one by one, and there are no more than the Task allows;
//   - what the operator writes fits the schemas of the CRDs;
//   - schedules are neither lost nor doubled: schedule_rules.h;
//   - at the end all has ended, and a run as its definition and its children call for: run_rules.h.
//
// Thread safety: the API server calls it under its own lock; the rest is for the driver, when all is settled.
// Errors: violations() says what happened, with the object and the virtual time.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/clock.h"
#include "tests/fakes/crd_schema.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/simulation/lock_rules.h"
#include "tests/simulation/run_rules.h"
#include "tests/simulation/schedule_rules.h"
#include "tests/simulation/services.h"

namespace convoke::simulation {

// Clients are told apart by the beginning of their names.
inline constexpr char kOperatorPrefix[] = "operator-";
inline constexpr char kAgentPrefix[] = "agent-";

class Observer final : public ServiceListener {
 public:
  // Says whether a write is let through, before it is observed.
  using Admit = std::function<Status(const fakes::WriteReview&)>;
  Observer(fakes::FakeApiServer& server, Clock& clock, const Admit& fence);

  void service_took(const std::string& task_uid, const std::string& assignment) override;
  void service_succeeded(const std::string& assignment) override { service_results_.insert(assignment); }

  const std::vector<std::string>& violations() const { return violations_; }
  std::size_t task_writes() const { return task_writes_; }
  // What all must be like when faults have stopped and everybody had the time.
  void judge_the_end();
  // Between these two nothing went wrong.
  void judge_calm(WallTime from, WallTime to);

 private:
  void see_task(const fakes::WriteReview& write);
  void see_run(const fakes::WriteReview& write);
  void see_workflow(const fakes::WriteReview& write);
  void judge_schema(const fakes::WriteReview& write, const fakes::CrdSchema& schema);
  void see_child(const fakes::WriteReview& write);
  void judge_agent_write(const fakes::WriteReview& write);
  void judge_start(const Json& after);
  void judge_phase(const Json& before, const Json& after);
  void judge_assignment(const Json& before, const Json& after);
  void judge_attempts(const Json& before, const Json& after);
  void judge_success(const Json& after);
  void judge_service_result(const Json& task);
  void count_active(const Json* before, const Json* after);
  void judge_shared_result(const Json& task);
  void judge_ended_run(const Json& run);
  void judge_left_locks();
  void judge_agents();
  void judge_conflicts();
  bool was_edited(const std::string& path, MonotonicTime from, MonotonicTime to) const;
  void violated(const Json& object, const std::string& rule);

  fakes::FakeApiServer& server_;
  Clock& clock_;
  std::vector<std::string> violations_;
  std::size_t task_writes_ = 0;
  std::map<std::string, std::vector<MonotonicTime>> edits_;  // by people, of each Task
  std::set<std::string> assignments_;                        // every id that was ever given
  std::map<std::string, std::set<std::string>> active_;      // agent -> uids of its Tasks
  std::map<std::string, int> capacities_;                    // the highest that each agent ever had
  // Of AtMostOnce Tasks, by uid: the assignments that were started.
  std::map<std::string, std::set<std::string>> starts_;
  std::map<std::string, Json> at_most_once_;  // such Tasks by uid, as they were created
  std::set<std::string> service_agents_;
  std::set<std::string> taken_;            // of those: the uids of what a service took
  std::set<std::string> service_results_;  // the assignments that a service said were successful
  std::set<std::pair<std::string, std::string>> succeeded_;  // name and idempotencyKey of Tasks
  LockRules locks_;
  const fakes::CrdSchema task_schema_{"tasks"};
  const fakes::CrdSchema agent_schema_{"agents"};
  const fakes::CrdSchema run_schema_{"workflowruns"};
  const fakes::CrdSchema workflow_schema_{"workflows"};
  RunRules runs_;
  ScheduleRules schedules_;
};

}  // namespace convoke::simulation
