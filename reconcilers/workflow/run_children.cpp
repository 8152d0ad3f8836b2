#include "reconcilers/workflow/run_children.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controller/base/side_by_side.h"
#include "controller/kube/errors.h"
#include "reconcilers/workflow/compensation.h"
#include "reconcilers/workflow/item_iterations.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_step.h"
#include "reconcilers/workflow/workflow_audit.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kCreatesAtOnce = 8;

bool is_run_child(const kube::ObjectMeta& meta, const api::WorkflowRun& run) {
  const auto* owner = meta.controller();
  return owner != nullptr && owner->uid == run.meta.uid;
}

bool is_run(const Definition& definition, const ChildKey& key) {
  return definition.step(key.step).workflow && !key.undo;
}

const kube::ResourceType& type_of(bool is_run) {
  return is_run ? api::kWorkflowRun : api::kTask;
}

// The children that the row says were made and have not ended.
void add_recorded(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t i,
                  std::vector<ChildKey>& keys) {
  if (const auto undo = recorded_undo(snapshot, row, i)) {
    keys.push_back(*undo);
  }
  if (row.phase != api::StepPhase::Running) {
    return;
  }
  const auto items = ItemPhases::parse(row.items);
  const auto iterations = parse_item_iterations(row.item_iterations);
  for (std::size_t item = 0; items && item < items->size(); ++item) {
    if ((*items)[item] == ItemPhases::kRunning) {
      auto key = item_key(snapshot, row, i, static_cast<int>(item));
      const auto recorded = iterations.find(key.item);
      key.iteration = std::max(key.iteration, recorded == iterations.end() ? 0 : recorded->second);
      keys.push_back(key);
    }
  }
  if (!row.task_name.empty() || !row.run_name.empty()) {
    keys.push_back(current_key(snapshot, row, i));
  }
}

}  // namespace

KnownChildren RunChildren::list(const api::WorkflowRun& run) const {
  return {caches_.tasks.by_index(api::index::kTasksByRun, run.meta.uid),
          caches_.runs.by_index(api::index::kRunsByParent, run.meta.uid)};
}

Status RunChildren::match(const KnownChildren& known, RunSnapshot& snapshot) {
  const auto& run = *snapshot.run;
  const auto& definition = *snapshot.definition;
  for (const auto& task : known.tasks) {
    if (const auto key = key_of(run, definition, task->meta); key && !is_run(definition, *key)) {
      snapshot.children[*key].task = task;
    }
  }
  for (const auto& child : known.runs) {
    if (const auto key = key_of(run, definition, child->meta); key && is_run(definition, *key)) {
      snapshot.children[*key].run = child;
    }
  }
  std::vector<ChildKey> recorded;
  for (const auto& row : snapshot.status.steps) {
    if (const auto step = definition.find(row.name)) {
      add_recorded(snapshot, row, *step, recorded);
    }
  }
  for (const auto& key : recorded) {
    if (snapshot.child(key)) {
      continue;
    }
    if (auto found = find_missing(key, snapshot); !found) {
      return found;
    }
  }
  return {};
}

Status RunChildren::find_missing(const ChildKey& key, RunSnapshot& snapshot) {
  const auto& step = snapshot.definition->step(key.step).name;
  for (const auto& name : {first_name(*snapshot.run, step, key), second_name(*snapshot.run, step, key)}) {
    auto found = find_named(snapshot, key, name);
    if (!found) {
      return found.error();
    }
    if (*found) {
      snapshot.children[key] = std::move(*found);
      return {};
    }
  }
  snapshot.gone.insert(key);
  return {};
}

Result<Child> RunChildren::find_named(const RunSnapshot& snapshot, const ChildKey& key,
                                      const std::string& name) {
  const auto& run = *snapshot.run;
  const bool wanted_run = is_run(*snapshot.definition, key);
  // One that somebody stripped of its labels is known by its name and its owner.
  const auto is_ours = [&](const Child& child) {
    const bool stripped = child.meta().label(api::label::kStep).empty();
    return is_run_child(child.meta(), run) &&
           (stripped || key_of(run, *snapshot.definition, child.meta()) == key);
  };
  const kube::ObjectKey object{run.meta.namespace_, name};
  if (Child cached{wanted_run ? nullptr : caches_.tasks.get(object),
                   wanted_run ? caches_.runs.get(object) : nullptr};
      cached && is_ours(cached)) {
    return cached;
  }
  const auto answer = client_.get(type_of(wanted_run), object);
  if (!answer) {
    return answer.error().code == ErrorCode::NotFound ? Result<Child>(Child()) : answer.error();
  }
  auto child = overlay(wanted_run, *answer);
  return is_ours(child) ? child : Child();
}

Result<bool> RunChildren::create(const std::vector<ChildStart>& starts, RunSnapshot& snapshot) {
  std::vector<std::optional<Result<Json>>> answers(starts.size());
  side_by_side(clock_, "create", starts.size(), kCreatesAtOnce, [&](std::size_t i) {
    answers[i] = client_.create(type_of(starts[i].is_run), child_manifest(snapshot, starts[i]));
    return answers[i]->has_value() || answers[i]->error().code == ErrorCode::AlreadyExists;
  });
  // Also after a failure all answers are taken: these children exist.
  Result<bool> result = true;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Result<bool> created = answers[i] ? take_answer(starts[i], *answers[i], snapshot) : false;
    if (!created || (result && !*created)) {
      result = created;
    }
  }
  return result;
}

Result<bool> RunChildren::take_answer(const ChildStart& start, const Result<Json>& answer,
                                      RunSnapshot& snapshot) {
  const auto& type = type_of(start.is_run);
  if (answer) {
    if (audit_ != nullptr) {
      audit_->record(audit_of_creation(type, *answer, "WorkflowRun/" + snapshot.run->meta.name));
    }
    snapshot.children[start.key] = overlay(start.is_run, *answer);
    return true;
  }
  if (answer.error().code == ErrorCode::AlreadyExists) {
    return meet_existing(start, snapshot);
  }
  if (kube::is_about_the_object(answer.error())) {
    snapshot.refused[start.key] = {reason::kTaskRefused, answer.error().message};
    return false;
  }
  if (answer.error().code == ErrorCode::Forbidden) {  // a quota, a role, a webhook: people should know
    events_.record(api::reference(*snapshot.run), runtime::EventType::Warning, reason::kTaskRefused, "Create",
                   answer.error().message);
    snapshot.held[start.key] = answer.error().message;
    return false;
  }
  return answer.error().with_context("creating " + type.kind + " " + start.name);
}

Result<bool> RunChildren::meet_existing(const ChildStart& start, RunSnapshot& snapshot) {
  const auto& run = *snapshot.run;
  const auto& step = snapshot.definition->step(start.key.step).name;
  auto found = find_named(snapshot, start.key, start.name);
  if (!found) {
    return found.error();
  }
  if (*found) {
    snapshot.children[start.key] = std::move(*found);
    return true;
  }
  const std::string kind = type_of(start.is_run).kind;
  if (!snapshot.name_taken.insert(start.key).second) {
    snapshot.refused[start.key] = {
        reason::kNameConflict,
        "other objects have the names " + first_name(run, step, start.key) + " and " + start.name};
    return false;
  }
  events_.record(api::reference(run), runtime::EventType::Warning, reason::kNameConflict, "Create",
                 kind + " " + start.name + " exists and is not of this step: step \"" + step +
                     "\" gets the name " + name_of(snapshot, start.key));
  return false;
}

Status RunChildren::patch(const std::vector<ChildPatch>& patches) {
  for (const auto& [child, patch] : patches) {
    const bool is_run = child.run != nullptr;
    Json body = patch;
    body["metadata"]["uid"] = child.meta().uid;  // not a successor of that name
    const auto answer = client_.patch(type_of(is_run), child.meta().key(), body, {kube::PatchType::Merge});
    if (answer) {
      overlay(is_run, *answer);
    } else if (answer.error().code != ErrorCode::NotFound) {
      return answer.error().with_context("patching " + type_of(is_run).kind + " " + child.meta().name);
    }
  }
  return {};
}

Child RunChildren::overlay(bool is_run, const Json& object) {
  Child child;
  if (is_run) {
    child.run = std::make_shared<const api::WorkflowRun>(api::WorkflowRun::from_json(object));
    caches_.runs.overlay(child.run);
  } else {
    child.task = std::make_shared<const api::Task>(api::Task::from_json(object));
    caches_.tasks.overlay(child.task);
  }
  return child;
}

}  // namespace convoke::workflow
