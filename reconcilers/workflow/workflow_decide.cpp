#include "reconcilers/workflow/workflow_decide.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/revision.h"

namespace convoke::workflow {
namespace {

constexpr char kPhaseReady[] = "Ready";
constexpr char kPhaseInvalid[] = "Invalid";
constexpr char kPhaseSuspended[] = "Suspended";
constexpr std::ptrdiff_t kMaxPastEvents = 200;

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

// Deletes what the history limits do not keep, and remembers the events among it: an event that is sent again
// starts no second run.
void forget_runs(const WorkflowSnapshot& snapshot, WorkflowDecision& decision) {
  decision.delete_runs = runs_to_delete(snapshot.workflow->spec.history_limits, snapshot.runs);
  auto& past = decision.status.past_events;
  for (const auto& run : decision.delete_runs) {
    const auto key = run->meta.annotations.find(annotation::kEventKey);
    if (key != run->meta.annotations.end() &&
        std::find(past.begin(), past.end(), key->second) == past.end()) {
      past.push_back(key->second);
    }
  }
  if (std::ssize(past) > kMaxPastEvents) {
    past.erase(past.begin(), past.end() - kMaxPastEvents);
  }
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
  auto fired = decide_triggers(
      {*snapshot.workflow, snapshot.runs, snapshot.run_names_taken, snapshot.runs_refused, snapshot.now},
      decision.status);
  decision.cancel_runs = std::move(fired.cancel);
  decision.create_runs = std::move(fired.start);
  decision.wake = fired.wake;
  const bool suspended = snapshot.workflow->spec.suspend;
  const auto& status = decision.status;
  set_state(snapshot, suspended ? kPhaseSuspended : kPhaseReady, api::Health::Current,
            suspended ? reason::kSuspended : reason::kAccepted,
            "revision " + std::to_string(status.current_revision_number) + " (" + status.current_revision +
                "): " + fired.summary,
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
  forget_runs(snapshot, decision);
  decision.delete_revisions =
      revisions_to_delete(decision.status.current_revision, snapshot.revisions, snapshot.runs);
  return decision;
}

bool differs_in_counts_only(const api::WorkflowStatus& a, const api::WorkflowStatus& b) {
  api::WorkflowStatus without = b;
  without.active_runs = a.active_runs;
  without.last_run = a.last_run;
  without.last_run_phase = a.last_run_phase;
  without.past_events = a.past_events;
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
  auto fired = trigger_events(before, after);
  notes.insert(notes.end(), std::make_move_iterator(fired.begin()), std::make_move_iterator(fired.end()));
  return notes;
}

}  // namespace convoke::workflow
