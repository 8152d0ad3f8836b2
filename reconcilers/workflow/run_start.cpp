#include "reconcilers/workflow/run_start.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_scope.h"

namespace convoke::workflow {
namespace {

// Whether a pending step waits, may start, or never will.
enum class Readiness { Waits, Ready, Blocked };

struct Dependencies {
  Readiness readiness = Readiness::Ready;
  std::size_t blocked_by = 0;
};

Dependencies look_at_dependencies(const Definition& definition, const Rows& rows, std::size_t step) {
  Dependencies result;
  for (const std::size_t dependency : definition.dependencies[step]) {
    const auto& row = rows[dependency];
    if (!api::is_terminal(row.phase)) {
      result.readiness = Readiness::Waits;
    } else if (!lets_dependents_start(definition.step(dependency), row)) {
      return {Readiness::Blocked, dependency};
    }
  }
  return result;
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

Result<Json> task_spec(const Definition& definition, std::size_t i, RunScope& scope) {
  const auto& step = definition.step(i);
  auto task = parse_json(step.task);
  if (!task) {
    return task;
  }
  scope.select_steps(definition.used_steps[i]);
  auto spec = expression::expand(*task, scope, "task");
  if (spec && spec->is_object()) {
    add_settings(definition, step, *spec);
  }
  return spec;
}

std::string reason_of(const Error& error) {
  return error.reason == "TemplateTooLarge" ? reason::kTaskTooLarge : error.reason;
}

}  // namespace

std::string task_name(const RunSnapshot& snapshot, std::size_t step) {
  const auto& meta = snapshot.run->meta;
  const auto& name = snapshot.definition->step(step).name;
  return snapshot.name_taken.count(step) > 0 ? alternative_child_name(meta.name, meta.uid, name)
                                             : child_name(meta.name, name);
}

std::vector<TaskStart> plan_starts(const RunSnapshot& snapshot, Rows& rows) {
  const auto& definition = *snapshot.definition;
  const std::string now = format_time(snapshot.now);
  auto room = definition.spec.parallelism - std::count_if(rows.begin(), rows.end(), [](const auto& row) {
                return row.phase == api::StepPhase::Running;
              });
  std::optional<RunScope> scope;  // made for the first step that needs it
  std::vector<TaskStart> starts;
  for (const std::size_t i : definition.order) {
    if (rows[i].phase != api::StepPhase::Pending) {
      continue;
    }
    const auto dependencies = look_at_dependencies(definition, rows, i);
    if (dependencies.readiness == Readiness::Blocked) {
      const auto& culprit = rows[dependencies.blocked_by];
      end_row(rows[i], api::StepPhase::Skipped, reason::kDependencyFailed,
              "step \"" + culprit.name + "\" is " + api::to_string(culprit.phase), now);
      continue;
    }
    if (dependencies.readiness == Readiness::Waits || room <= 0 || snapshot.run->spec.suspend) {
      continue;
    }
    if (!scope) {
      scope.emplace(snapshot, rows);
    }
    auto spec = task_spec(definition, i, *scope);
    if (!spec) {
      end_row(rows[i], api::StepPhase::Failed, reason_of(spec.error()), spec.error().message, now);
      continue;
    }
    starts.push_back({i, task_name(snapshot, i), std::move(*spec)});
    --room;
  }
  return starts;
}

Json task_manifest(const RunSnapshot& snapshot, const TaskStart& start) {
  const auto& run = *snapshot.run;
  kube::ObjectMeta meta;
  meta.namespace_ = run.meta.namespace_;
  meta.name = start.name;
  meta.labels[api::label::kRun] = fit_name(run.meta.name);
  meta.labels[api::label::kRunUid] = run.meta.uid;
  meta.labels[api::label::kStep] = snapshot.definition->step(start.step).name;
  if (!run.spec.workflow_name.empty()) {
    meta.labels[api::label::kWorkflow] = fit_name(run.spec.workflow_name);
  }
  if (!snapshot.revision.empty()) {
    meta.labels[api::label::kRevision] = snapshot.revision;
  }
  meta.owner_references.push_back(
      {api::kWorkflowRun.api_version(), api::kWorkflowRun.kind, run.meta.name, run.meta.uid, true, false});
  return {{"apiVersion", api::kTask.api_version()},
          {"kind", api::kTask.kind},
          {"metadata", kube::meta_to_json(meta)},
          {"spec", start.spec}};
}

}  // namespace convoke::workflow
