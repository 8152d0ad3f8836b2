#include "reconcilers/workflow/workflow_decide.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/parameters.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/revision.h"

namespace convoke::workflow {
namespace {

constexpr char kPhaseReady[] = "Ready";
constexpr char kPhaseInvalid[] = "Invalid";
constexpr char kPhaseSuspended[] = "Suspended";
constexpr char kTriggeredByCreate[] = "Create";

void set_counts(const Runs& runs, api::WorkflowStatus& status) {
  const auto start_of = [](const api::WorkflowRun& run) {
    return std::tie(run.meta.creation_timestamp, run.status.started_at, run.meta.name);
  };
  const api::WorkflowRun* last = nullptr;
  status.active_runs = 0;
  for (const auto& run : runs) {
    status.active_runs += api::is_terminal(run->status.phase) ? 0 : 1;
    if (last == nullptr || start_of(*last) < start_of(*run)) {
      last = run.get();
    }
  }
  status.last_run = last == nullptr ? "" : last->meta.name;
  status.last_run_phase = last == nullptr ? "" : api::to_string(last->status.phase);
}

void set_state(const WorkflowSnapshot& snapshot, const char* phase, api::Health health,
               const std::string& reason, const std::string& message, api::WorkflowStatus& status) {
  status.present = true;
  status.phase = phase;
  status.observed_generation = snapshot.workflow->meta.generation;
  api::set_health(status.conditions, health, reason, message, status.observed_generation,
                  format_time(snapshot.now));
}

std::shared_ptr<const api::ControllerRevision> find_revision(const Revisions& revisions,
                                                             const std::string& name) {
  const auto found = std::find_if(revisions.begin(), revisions.end(),
                                  [&](const auto& revision) { return revision->meta.name == name; });
  return found == revisions.end() ? nullptr : *found;
}

std::int64_t next_number(const Revisions& revisions) {
  std::int64_t highest = 0;
  for (const auto& revision : revisions) {
    highest = std::max(highest, revision->revision);
  }
  return highest + 1;
}

// Names the revision of the current generation, and says whether it must be made or moved to the top.
Status keep_revision(const WorkflowSnapshot& snapshot, WorkflowDecision& decision) {
  const auto& workflow = *snapshot.workflow;
  auto& status = decision.status;
  const bool named = workflow.status.observed_generation == workflow.meta.generation &&
                     workflow.status.phase != kPhaseInvalid &&
                     find_revision(snapshot.revisions, status.current_revision);
  if (named) {
    return {};
  }
  auto content = revision_content(workflow.spec_json);
  if (!content) {
    return content.error();
  }
  const auto first_name = revision_name(workflow.meta.name, *content);
  const auto second_name = alternative_revision_name(workflow.meta.name, workflow.meta.uid, *content);
  auto existing = find_revision(snapshot.revisions, first_name);
  if (!existing) {
    existing = find_revision(snapshot.revisions, second_name);
  }
  if (!existing) {
    decision.revision_number = next_number(snapshot.revisions);
    status.current_revision = snapshot.revision_name_taken ? second_name : first_name;
    decision.create_revision =
        make_revision(workflow, status.current_revision, decision.revision_number, std::move(*content));
  } else {
    decision.revision_number = existing->revision;
    if (existing->revision + 1 < next_number(snapshot.revisions)) {
      decision.revision_number = next_number(snapshot.revisions);
      decision.renumber_revision = existing;
    }
    status.current_revision = existing->meta.name;
  }
  status.current_revision_number = decision.revision_number;
  return {};
}

Json created_run(const api::Workflow& workflow, const std::string& name, const std::string& revision) {
  kube::ObjectMeta meta;
  meta.namespace_ = workflow.meta.namespace_;
  meta.name = name;
  meta.labels[api::label::kWorkflow] = fit_name(workflow.meta.name);
  meta.owner_references.push_back(owner_reference(workflow));
  return {
      {"apiVersion", api::kWorkflowRun.api_version()},
      {"kind", api::kWorkflowRun.kind},
      {"metadata", kube::meta_to_json(meta)},
      {"spec",
       {{"workflowName", workflow.meta.name}, {"revision", revision}, {"triggeredBy", kTriggeredByCreate}}}};
}

bool has_run(const Runs& runs, const std::string& name, const std::string& owner_uid) {
  return std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
    const auto* owner = run->meta.controller();
    return run->meta.name == name && owner != nullptr && owner->uid == owner_uid;
  });
}

// Fires the Create trigger if it is due, and says in words what the triggers do.
std::string pull_trigger(const WorkflowSnapshot& snapshot, WorkflowDecision& decision) {
  const auto& workflow = *snapshot.workflow;
  const auto& spec = workflow.spec;
  auto& status = decision.status;
  if (std::find(spec.triggers.begin(), spec.triggers.end(), api::TriggerType::Create) ==
      spec.triggers.end()) {
    return "runs start by hand";
  }
  if (!status.created_run.empty()) {
    return "trigger Create made run " + status.created_run;
  }
  if (spec.suspend) {
    return "triggers are suspended";
  }
  const auto needy = std::find_if(spec.parameters.begin(), spec.parameters.end(),
                                  [](const auto& parameter) { return !needs_no_value(parameter); });
  if (needy != spec.parameters.end()) {
    return "runs start by hand, because parameter \"" + needy->name + "\" is required and has no default";
  }
  if (snapshot.run_refused) {
    return "trigger Create cannot make its run: " + snapshot.run_refused->message;
  }
  const auto name = snapshot.run_name_taken
                        ? alternative_created_run_name(workflow.meta.name, workflow.meta.uid)
                        : created_run_name(workflow.meta.name, workflow.meta.uid);
  if (!has_run(snapshot.runs, name, workflow.meta.uid)) {
    decision.create_run = created_run(workflow, name, status.current_revision);
  }
  status.created_run = name;
  return "trigger Create made run " + name;
}

void refuse(const WorkflowSnapshot& snapshot, const Error& error, WorkflowDecision& decision) {
  set_state(snapshot, kPhaseInvalid, api::Health::Failed, reason::kInvalidDefinition, error.message,
            decision.status);
}

void accept(const WorkflowSnapshot& snapshot, WorkflowDecision& decision) {
  if (auto kept = keep_revision(snapshot, decision); !kept) {
    refuse(snapshot, kept.error(), decision);
    return;
  }
  const auto triggers = pull_trigger(snapshot, decision);
  const bool suspended = snapshot.workflow->spec.suspend;
  const auto& status = decision.status;
  set_state(snapshot, suspended ? kPhaseSuspended : kPhaseReady, api::Health::Current,
            suspended ? reason::kSuspended : reason::kAccepted,
            "revision " + std::to_string(status.current_revision_number) + " (" + status.current_revision +
                "): " + triggers,
            decision.status);
}

}  // namespace

WorkflowDecision decide(const WorkflowSnapshot& snapshot) {
  WorkflowDecision decision;
  decision.status = snapshot.workflow->status;
  if (snapshot.definition) {
    accept(snapshot, decision);
  } else {
    refuse(snapshot, snapshot.definition.error(), decision);
  }
  set_counts(snapshot.runs, decision.status);
  decision.delete_runs = runs_to_delete(snapshot.workflow->spec.history_limits, snapshot.runs);
  decision.delete_revisions =
      revisions_to_delete(decision.status.current_revision, snapshot.revisions, snapshot.runs);
  return decision;
}

bool differs_in_counts_only(const api::WorkflowStatus& a, const api::WorkflowStatus& b) {
  api::WorkflowStatus without = b;
  without.active_runs = a.active_runs;
  without.last_run = a.last_run;
  without.last_run_phase = a.last_run_phase;
  return without == a;
}

std::vector<EventNote> events_between(const api::WorkflowStatus& before, const api::WorkflowStatus& after) {
  std::vector<EventNote> notes;
  const auto* ready = api::find_condition(after.conditions, api::condition::kReady);
  const bool is_new = before.observed_generation != after.observed_generation || before.phase != after.phase;
  if (after.phase == kPhaseInvalid && is_new && ready != nullptr) {
    notes.push_back({runtime::EventType::Warning, reason::kInvalidDefinition, "Check", ready->message});
  }
  if (after.phase != kPhaseInvalid && before.current_revision != after.current_revision) {
    notes.push_back(
        {runtime::EventType::Normal, reason::kAccepted, "Check",
         "revision " + std::to_string(after.current_revision_number) + " is " + after.current_revision});
  }
  if (before.created_run != after.created_run) {
    notes.push_back({runtime::EventType::Normal, reason::kRunCreated, "Trigger",
                     "trigger Create made run " + after.created_run});
  }
  return notes;
}

}  // namespace convoke::workflow
