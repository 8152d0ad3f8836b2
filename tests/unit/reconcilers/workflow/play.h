// A run that a test decides on round by round, without a server: children get the phases that the test gives
// them, and each decision is carried out on the snapshot. Children go by their names without "run-".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reconcilers/workflow/run_decide.h"

namespace convoke::workflow {

inline const WallTime kStart = WallTime(std::chrono::seconds(1'767'225'600));

class Play {
 public:
  explicit Play(const Json& definition, const api::RawJson& parameters = "{}");

  // Decides, and carries the decision out.
  RunDecision next();
  // Decides until nothing more starts.
  void settle();

  void task(const std::string& name, api::TaskPhase phase, const Json& outputs = nullptr,
            const std::string& message = "");
  void succeed(const std::string& name, const Json& outputs = nullptr) {
    task(name, api::TaskPhase::Succeeded, outputs);
  }
  void fail(const std::string& name, const std::string& message = "exit status 1") {
    task(name, api::TaskPhase::Failed, nullptr, message);
  }
  // How the child that is a run ends.
  void end_run(const std::string& name, api::RunPhase phase, const Json& outputs = nullptr);
  // What that run does when it is asked for one more round.
  void begin_round_of(const std::string& name);
  void refuse_round_of(const std::string& name);

  void lose_task(const std::string& name);
  void lose_finished_task(const std::string& name);
  void refuse(const std::string& name, const std::string& message);
  void replace(const api::Task& task);
  void wipe_status() { snapshot_.status = run_.status = {}; }
  void pass(Duration time) { snapshot_.now += time; }
  void approve(const std::string& step, const std::string& user,
               api::ApprovalDecision decision = api::ApprovalDecision::Approve,
               const std::string& comment = "");
  // Begins the round that spec.retryFrom asks for.
  void begin_round(const std::vector<std::string>& steps = {});

  api::WorkflowRun& run() { return run_; }
  api::WorkflowRunSpec& run_spec() { return run_.spec; }
  RunSnapshot& snapshot() { return snapshot_; }
  const api::Task* task_of(const std::string& name) const;
  const api::WorkflowRun* run_of(const std::string& name) const;
  // The spec with which a child was created; null if it was not.
  Json spec_of(const std::string& name) const;
  // Every child, in the order of creation.
  const std::vector<std::string>& created() const { return created_; }
  const api::WorkflowRunStatus& status() const { return snapshot_.status; }
  const api::StepStatus& row(const std::string& step) const;
  std::string phases() const;

 private:
  void create(const ChildStart& start);
  void apply(const ChildPatch& patch);
  ChildKey key_of(const std::string& name) const;

  api::WorkflowRun run_;
  RunSnapshot snapshot_;
  std::map<std::string, Json> specs_;
  std::vector<std::string> created_;
};

std::vector<std::string> names_of(const std::vector<ChildStart>& starts);

}  // namespace convoke::workflow
