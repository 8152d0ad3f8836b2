#include "tests/unit/reconcilers/workflow/play.h"

#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/retry_round.h"
#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {

Play::Play(const Json& definition, const api::RawJson& parameters) {
  auto checked = specs::check(definition);
  EXPECT_TRUE(checked) << checked.error().message;
  run_.meta.namespace_ = "ns";
  run_.meta.name = "run";
  run_.meta.uid = "run-uid";
  run_.meta.generation = 1;
  run_.spec.workflow_name = "flow";
  run_.spec.created_by = "creator";
  snapshot_.definition = *checked;
  snapshot_.revision = "flow-1";
  snapshot_.parameters = parameters;
  snapshot_.now = kStart;
}

RunDecision Play::next() {
  snapshot_.run = std::make_shared<const api::WorkflowRun>(run_);
  auto decision = decide(snapshot_);
  for (const auto& start : decision.starts) {
    create(start);
  }
  for (const auto& patch : decision.patches) {
    apply(patch);
  }
  snapshot_.status = decision.status;
  run_.status = decision.status;
  return decision;
}

void Play::settle() {
  for (int i = 0; i < 1000; ++i) {
    const auto before = snapshot_.status;
    if (next().starts.empty() && snapshot_.status == before) {
      return;
    }
  }
  ADD_FAILURE() << "the run never settles";
}

void Play::create(const ChildStart& start) {
  ASSERT_FALSE(snapshot_.child(start.key)) << start.name << " is created twice";
  kube::ObjectMeta meta;
  meta.namespace_ = "ns";
  meta.name = start.name;
  meta.uid = start.name + "-uid";
  meta.resource_version = "7";
  meta.creation_timestamp = format_time(snapshot_.now);
  specs_[start.name] = start.spec;
  created_.push_back(start.name.substr(std::string("run-").size()));
  auto& child = snapshot_.children[start.key];
  if (start.is_run) {
    api::WorkflowRun run;
    run.meta = std::move(meta);
    child.run = std::make_shared<const api::WorkflowRun>(run);
  } else {
    api::Task task;
    task.meta = std::move(meta);
    child.task = std::make_shared<const api::Task>(task);
  }
}

ChildKey Play::key_of(const std::string& name) const {
  for (const auto& [key, child] : snapshot_.children) {
    if (child.meta().name == "run-" + name || child.meta().name == name) {
      return key;
    }
  }
  const auto step = snapshot_.definition->find(name);  // of a step whose child's name was cut
  EXPECT_TRUE(step) << "there is no child " << name;
  return {step.value_or(0)};
}

void Play::task(const std::string& name, api::TaskPhase phase, const Json& outputs,
                const std::string& message) {
  auto& slot = snapshot_.children[key_of(name)].task;
  ASSERT_NE(slot, nullptr);
  api::Task task = *slot;
  task.status.phase = phase;
  task.status.reason = phase == api::TaskPhase::Failed ? "Failed" : "";
  task.status.message = message;
  task.status.report.outputs = outputs.is_null() ? "" : dump_json(outputs);
  task.status.completed_at = api::is_terminal(phase) ? format_micro_time(snapshot_.now) : "";
  slot = std::make_shared<const api::Task>(std::move(task));
}

void Play::end_run(const std::string& name, api::RunPhase phase, const Json& outputs) {
  auto& slot = snapshot_.children[key_of(name)].run;
  ASSERT_NE(slot, nullptr);
  api::WorkflowRun run = *slot;
  run.status.phase = phase;
  run.status.reason = api::to_string(phase);
  run.status.steps.resize(1);
  run.status.outputs = outputs.is_null() ? "" : dump_json(outputs);
  run.status.completed_at = format_micro_time(snapshot_.now);
  slot = std::make_shared<const api::WorkflowRun>(std::move(run));
}

void Play::begin_round_of(const std::string& name) {
  auto& slot = snapshot_.children[key_of(name)].run;
  ASSERT_NE(slot, nullptr);
  api::WorkflowRun run = *slot;
  run.status.round = run.spec.retry_from.round;
  run.status.observed_generation = run.meta.generation;
  run.status.phase = api::RunPhase::Running;
  slot = std::make_shared<const api::WorkflowRun>(std::move(run));
}

void Play::refuse_round_of(const std::string& name) {
  auto& slot = snapshot_.children[key_of(name)].run;
  ASSERT_NE(slot, nullptr);
  api::WorkflowRun run = *slot;
  run.status.observed_generation = run.meta.generation;
  slot = std::make_shared<const api::WorkflowRun>(std::move(run));
}

void Play::lose_task(const std::string& name) {
  const auto key = key_of(name);
  snapshot_.children.erase(key);
  snapshot_.gone.insert(key);
}

void Play::lose_finished_task(const std::string& name) {
  snapshot_.children.erase(key_of(name));
}

void Play::refuse(const std::string& name, const std::string& message) {
  const auto key = key_of(name);
  snapshot_.children.erase(key);
  snapshot_.refused[key] = {reason::kTaskRefused, message};
}

void Play::replace(const api::Task& task) {
  snapshot_.children[key_of(task.meta.name)].task = std::make_shared<const api::Task>(task);
}

void Play::approve(const std::string& step, const std::string& user, api::ApprovalDecision decision,
                   const std::string& comment) {
  run_.spec.approvals.push_back({step, user, snapshot_.status.round, decision, comment});
}

void Play::begin_round(const std::vector<std::string>& steps) {
  run_.spec.retry_from = {run_.status.round + 1, steps};
  ASSERT_TRUE(is_retry_wanted(run_));
  ASSERT_EQ(retry_problem(run_, *snapshot_.definition), "");
  run_.status = workflow::begin_round(run_, *snapshot_.definition, snapshot_.now);
  snapshot_.status = run_.status;
}

void Play::apply(const ChildPatch& patch) {
  const auto& wanted = patch.patch["spec"];
  auto& child = snapshot_.children[key_of(patch.child.meta().name)];
  const auto annotate = [&](kube::ObjectMeta& meta, bool suspend) {
    meta.annotations.clear();
    if (suspend) {
      meta.annotations[annotation::kSuspendedByRun] = "true";
    }
  };
  if (child.run) {
    api::WorkflowRun run = *child.run;
    if (wanted.contains("cancel")) {
      run.spec.cancel =
          api::RunCancel{wanted["cancel"]["reason"], wanted["cancel"].value("compensate", false),
                         wanted["cancel"].value("force", false)};
    }
    if (wanted.contains("suspend")) {
      run.spec.suspend = wanted["suspend"];
      annotate(run.meta, run.spec.suspend);
    }
    if (wanted.contains("retryFrom")) {
      run.spec.retry_from.round = wanted["retryFrom"]["round"];
    }
    ++run.meta.generation;
    child.run = std::make_shared<const api::WorkflowRun>(std::move(run));
    return;
  }
  api::Task task = *child.task;
  if (wanted.contains("cancel")) {
    task.spec.cancel = api::Cancel{wanted["cancel"]["reason"]};
  }
  if (wanted.contains("suspend")) {
    task.spec.suspend = wanted["suspend"];
    annotate(task.meta, task.spec.suspend);
  }
  child.task = std::make_shared<const api::Task>(std::move(task));
}

const api::Task* Play::task_of(const std::string& name) const {
  return snapshot_.child(key_of(name)).task.get();
}

const api::WorkflowRun* Play::run_of(const std::string& name) const {
  return snapshot_.child(key_of(name)).run.get();
}

Json Play::spec_of(const std::string& name) const {
  const auto found = specs_.find("run-" + name);
  return found == specs_.end() ? Json() : found->second;
}

const api::StepStatus& Play::row(const std::string& step) const {
  return snapshot_.status.steps[snapshot_.definition->find(step).value()];
}

std::string Play::phases() const {
  std::string text;
  for (const auto& row : snapshot_.status.steps) {
    text += (text.empty() ? "" : " ") + row.name + ":" + api::to_string(row.phase);
  }
  return text;
}

std::vector<std::string> names_of(const std::vector<ChildStart>& starts) {
  std::vector<std::string> names;
  for (const auto& start : starts) {
    names.push_back(start.name);
  }
  return names;
}

}  // namespace convoke::workflow
