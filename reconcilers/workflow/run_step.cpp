#include "reconcilers/workflow/run_step.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/approval_step.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/fan_out.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/step_result.h"
#include "reconcilers/workflow/sub_run.h"
#include "reconcilers/workflow/wait_step.h"

namespace convoke::workflow {
namespace {

void select_names(Plan& plan, std::size_t i) {
  auto& scope = plan.scope();
  scope.clear_locals();
  scope.select_steps(plan.definition.used_steps[i]);
}

void start_child(Plan& plan, std::size_t i, const ChildKey& key) {
  if (const auto* why = plan.held_back(key)) {
    return explain_row(plan.rows[i], reason::kTaskRefused, *why);
  }
  select_names(plan, i);
  if (key.iteration > 0) {
    plan.scope().set_local("iteration", key.iteration);
  }
  auto start = child_to_start(plan, key);
  if (!start) {
    return fail_row(plan, i, start.error());
  }
  auto& row = plan.rows[i];
  row.iteration = key.iteration;
  start_row(row, plan.definition.step(i), start->name, row.started_at.empty() ? plan.now : row.started_at);
  plan.start(std::move(*start));
}

// Whether the iteration that has just succeeded was the last one.
Result<bool> is_last(Plan& plan, std::size_t i, const Child& child) {
  select_names(plan, i);
  plan.scope().set_step(i, {{"phase", "Succeeded"}, {"outputs", object_of(child.outputs())}});
  plan.scope().set_local("iteration", plan.rows[i].iteration);
  return holds(plan, *plan.definition.programs[i].repeat_until);
}

void repeat(Plan& plan, std::size_t i, const Child& child) {
  auto& row = plan.rows[i];
  const auto& rule = *plan.definition.step(i).repeat;
  const auto last = is_last(plan, i, child);
  if (!last) {
    return fail_row(plan, i, last.error());
  }
  if (*last) {
    return end_row(row, child, plan.now);
  }
  if (row.iteration >= rule.max_iterations) {
    return end_row(row, api::StepPhase::Failed, reason::kMaxIterations,
                   "`until` did not hold after " + std::to_string(rule.max_iterations) + " iterations",
                   plan.now);
  }
  const auto ended = parse_time(child.completed_at());
  const auto due = (ended ? *ended : plan.snapshot.now) + rule.delay;
  explain_row(row, reason::kRepeating,
              "iteration " + std::to_string(row.iteration) + " of at most " +
                  std::to_string(rule.max_iterations) + " has ended");
  if (due > plan.snapshot.now) {
    plan.wake_at(due);
  } else if (plan.has_room()) {
    start_child(plan, i, {i, -1, row.iteration + 1, row.round, false});
  }
}

void advance_child(Plan& plan, std::size_t i) {
  auto& row = plan.rows[i];
  const auto& child = plan.snapshot.child(current_key(plan.snapshot, row, i));
  if (!child) {
    return;  // it was made, and the cache does not have it yet
  }
  if (is_to_go_on(plan.definition.step(i), child)) {
    explain_row(row, reason::kRetrying, child.reason() + ": " + child.message());
    go_on(plan, i, child);
  } else if (child.ended()) {
    repeat(plan, i, child);
  } else if (child.run) {
    if (row.reason == reason::kRetrying) {
      explain_row(row, "", "");
    }
    if (limit_time(plan, i, child)) {
      explain_row(row, reason::kTimeout,
                  "timed out after " + human_duration(*plan.definition.step(i).timeout));
    }
  }
}

void halt_child(Plan& plan, std::size_t i, const Halt& halt) {
  auto& row = plan.rows[i];
  const auto& child = plan.snapshot.child(current_key(plan.snapshot, row, i));
  if (child && child.ended()) {
    // It may just have come to its end; otherwise it is between two iterations, or two rounds.
    const bool may_be_last = plan.definition.step(i).repeat && child.phase() == api::StepPhase::Succeeded;
    if (const auto last = may_be_last ? is_last(plan, i, child) : Result<bool>(false); last && *last) {
      return end_row(row, child, plan.now);
    }
    return end_row(row, api::StepPhase::Cancelled, halt.reason, "", plan.now);
  }
  plan.cancel(child, halt.message, halt.compensate);
}

// The names of the Workflows that led to this run, its own included.
std::string workflow_path(const api::WorkflowRun& run) {
  const auto found = run.meta.annotations.find(annotation::kWorkflowPath);
  return found == run.meta.annotations.end() ? run.spec.workflow_name : found->second;
}

Status check_path(const api::WorkflowRun& run, const std::string& workflow) {
  constexpr std::ptrdiff_t kMaxDepth = 8;
  const std::string path = workflow_path(run);
  if (("/" + path + "/").find("/" + workflow + "/") != std::string::npos) {
    return Error{ErrorCode::Invalid, "Workflow " + workflow + " would run itself: " + path + "/" + workflow,
                 reason::kRecursion};
  }
  if (std::count(path.begin(), path.end(), '/') + 1 >= kMaxDepth) {
    return Error{ErrorCode::Invalid,
                 "workflows are nested at most " + std::to_string(kMaxDepth) + " deep: " + path,
                 reason::kRecursion};
  }
  return {};
}

Result<Json> run_spec(Plan& plan, const api::SubWorkflow& workflow) {
  const auto& run = *plan.snapshot.run;
  auto name = expression::expand(workflow.name, plan.scope(), "workflow.name");
  if (!name) {
    return name;
  }
  if (!name->is_string()) {
    return Error{ErrorCode::Invalid, "workflow.name: expected a string", reason::kWrongType};
  }
  if (auto status = check_path(run, name->get<std::string>()); !status) {
    return status.error();
  }
  Json spec = {{"workflowName", *name}, {"triggeredBy", "WorkflowRun/" + run.meta.name}};
  if (!run.spec.created_by.empty()) {
    spec["createdBy"] = run.spec.created_by;
  }
  if (!workflow.parameters.empty()) {
    const auto parameters = parse_json(workflow.parameters);
    auto expanded =
        expression::expand(parameters ? *parameters : Json::object(), plan.scope(), "workflow.parameters");
    if (!expanded) {
      return expanded;
    }
    spec["parameters"] = std::move(*expanded);
  }
  return spec;
}

// What the step and the workflow say beyond the template.
void add_settings(const Definition& definition, const api::Step& step, Json& spec) {
  api::TaskSpec settings;
  if (step.retry || definition.spec.retry) {
    settings.retry = step.retry ? *step.retry : *definition.spec.retry;
  }
  if (step.timeout) {
    settings.timeout = *step.timeout;
  }
  const Json json = api::spec_to_json(settings);
  for (const char* field : {"retry", "timeout"}) {
    if (const auto found = json.find(field); found != json.end()) {
      spec[field] = *found;
    }
  }
}

Result<Json> task_spec(Plan& plan, const ChildKey& key) {
  const auto& step = plan.definition.step(key.step);
  auto task = parse_json(key.undo ? step.compensate : step.task);
  if (!task) {
    return task;
  }
  auto spec = expression::expand(*task, plan.scope(), key.undo ? "compensate" : "task");
  if (spec && spec->is_object() && !key.undo) {
    add_settings(plan.definition, step, *spec);
  }
  return spec;
}

}  // namespace

Result<bool> holds(Plan& plan, const cel::Program& condition) {
  return condition.evaluate_bool(plan.scope());
}

void fail_row(Plan& plan, std::size_t step, const Error& error) {
  const bool too_large = error.reason == "TemplateTooLarge";
  end_row(plan.rows[step], api::StepPhase::Failed, too_large ? reason::kTaskTooLarge : error.reason,
          error.message, plan.now);
}

std::string name_of(const RunSnapshot& snapshot, const ChildKey& key) {
  const auto& step = snapshot.definition->step(key.step).name;
  return snapshot.name_taken.count(key) > 0 ? second_name(*snapshot.run, step, key)
                                            : first_name(*snapshot.run, step, key);
}

Result<ChildStart> child_to_start(Plan& plan, const ChildKey& key) {
  const auto& step = plan.definition.step(key.step);
  const bool is_run = step.workflow && !key.undo;
  auto spec = is_run ? run_spec(plan, *step.workflow) : task_spec(plan, key);
  if (!spec) {
    return spec.error();
  }
  return ChildStart{key, name_of(plan.snapshot, key), is_run, std::move(*spec)};
}

void start_step(Plan& plan, std::size_t i) {
  const auto& step = plan.definition.step(i);
  const bool has_child = !step.approval && !step.wait && !step.for_each;
  if (plan.snapshot.run->spec.suspend || (has_child && !plan.has_room())) {
    return;
  }
  if (const auto& when = plan.definition.programs[i].when) {
    select_names(plan, i);
    const auto wanted = holds(plan, *when);
    if (!wanted) {
      return fail_row(plan, i, wanted.error().with_context("when"));
    }
    if (!*wanted) {
      return end_row(plan.rows[i], api::StepPhase::Skipped, reason::kConditionFalse,
                     "`when` does not hold: " + step.when, plan.now);
    }
  }
  select_names(plan, i);
  if (step.for_each) {
    start_fan_out(plan, i);
  } else if (step.approval) {
    start_approval(plan, i);
  } else if (step.wait) {
    start_wait(plan, i);
  } else {
    start_child(plan, i, current_key(plan.snapshot, plan.rows[i], i));
  }
}

void advance_step(Plan& plan, std::size_t i) {
  const auto& step = plan.definition.step(i);
  if (step.for_each) {
    advance_fan_out(plan, i);
  } else if (step.approval) {
    advance_approval(plan, i);
  } else if (step.wait) {
    select_names(plan, i);
    advance_wait(plan, i);
  } else {
    advance_child(plan, i);
  }
}

void halt_step(Plan& plan, std::size_t i, const Halt& halt) {
  const auto& step = plan.definition.step(i);
  if (step.for_each) {
    halt_fan_out(plan, i, halt);
  } else if (step.approval || step.wait) {
    end_row(plan.rows[i], api::StepPhase::Cancelled, halt.reason, "", plan.now);
  } else {
    halt_child(plan, i, halt);
  }
}

Json child_manifest(const RunSnapshot& snapshot, const ChildStart& start) {
  const auto& run = *snapshot.run;
  const auto& type = start.is_run ? api::kWorkflowRun : api::kTask;
  kube::ObjectMeta meta;
  meta.namespace_ = run.meta.namespace_;
  meta.name = start.name;
  meta.labels = key_labels(snapshot.definition->step(start.key.step).name, start.key);
  meta.labels[api::label::kRun] = fit_name(run.meta.name);
  meta.labels[api::label::kRunUid] = run.meta.uid;
  const std::string path = workflow_path(run);
  const std::string workflow = start.is_run ? start.spec.value("workflowName", "") : run.spec.workflow_name;
  if (!workflow.empty()) {
    meta.labels[api::label::kWorkflow] = fit_name(workflow);
  }
  if (start.is_run) {
    meta.annotations[annotation::kWorkflowPath] = path.empty() ? workflow : path + "/" + workflow;
    if (!snapshot.revision.empty()) {
      meta.annotations[annotation::kParentRevision] = snapshot.revision;
    }
  } else if (!snapshot.revision.empty()) {
    meta.labels[api::label::kRevision] = snapshot.revision;
  }
  meta.owner_references.push_back(
      {api::kWorkflowRun.api_version(), api::kWorkflowRun.kind, run.meta.name, run.meta.uid, true, false});
  return {{"apiVersion", type.api_version()},
          {"kind", type.kind},
          {"metadata", kube::meta_to_json(meta)},
          {"spec", start.spec}};
}

}  // namespace convoke::workflow
