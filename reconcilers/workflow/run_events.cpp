#include "reconcilers/workflow/run_events.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

using runtime::EventType;

constexpr std::size_t kMaxStepEvents = 5;
constexpr std::size_t kMaxNoteBytes = 1000;
constexpr char kRunAction[] = "Run";

void add_failed_steps(const api::WorkflowRunStatus& before, const api::WorkflowRunStatus& after,
                      std::vector<EventNote>& notes) {
  std::size_t failed = 0;
  for (const auto* row : newly_ended(before, after)) {
    if (row->phase != api::StepPhase::Failed || ++failed > kMaxStepEvents) {
      continue;
    }
    std::string note = "step \"" + row->name + "\" failed: " + row->reason;
    if (!row->message.empty()) {
      note += ": " + row->message;
    }
    if (!row->task_name.empty()) {
      note += " (Task " + row->task_name + ")";
    }
    notes.push_back({EventType::Warning, reason::kStepFailed, kRunAction, note});
  }
  if (failed > kMaxStepEvents) {
    notes.push_back({EventType::Warning, reason::kStepFailed, kRunAction,
                     std::to_string(failed - kMaxStepEvents) + " more steps failed"});
  }
}

void add_name(std::string& text, const char* what, const std::string& name) {
  text += (text.empty() ? std::string(what) + " " : ", ") + name;
}

// What changed, in one note: a run of one step says it all itself.
void add_changed_steps(const api::WorkflowRunStatus& before, const api::WorkflowRunStatus& after,
                       std::vector<EventNote>& notes) {
  if (after.steps.size() < 2) {
    return;
  }
  std::unordered_map<std::string, const api::StepStatus*> known;
  for (const auto& row : before.steps) {
    known.emplace(row.name, &row);
  }
  std::map<api::StepPhase, std::string> changed;
  for (const auto& row : after.steps) {
    const auto found = known.find(row.name);
    const auto last = found == known.end() ? api::StepPhase::Pending : found->second->phase;
    if (row.phase != last) {
      add_name(changed[row.phase], api::to_string(row.phase), row.name);
    }
  }
  std::string note;
  for (const auto& [phase, names] : changed) {
    note += (note.empty() ? "" : "; ") + names;
  }
  if (!note.empty()) {
    notes.push_back(
        {EventType::Normal, reason::kStepsChanged, kRunAction, api::cut_text(note, kMaxNoteBytes)});
  }
}

bool is_obstacle(const std::string& name) {
  constexpr const char* kObstacles[] = {reason::kWorkflowNotFound, reason::kWorkflowNotReady,
                                        reason::kRevisionNotFound, reason::kInvalidSpec,
                                        reason::kInvalidDefinition};
  return std::any_of(std::begin(kObstacles), std::end(kObstacles),
                     [&](const char* obstacle) { return name == obstacle; });
}

void add_phase_change(const api::WorkflowRunStatus& before, const api::WorkflowRunStatus& after,
                      std::vector<EventNote>& notes) {
  if (after.phase != before.phase) {
    switch (after.phase) {
      case api::RunPhase::Succeeded:
        notes.push_back({EventType::Normal, reason::kSucceeded, kRunAction, after.message});
        return;
      case api::RunPhase::Failed:
        notes.push_back(
            {EventType::Warning, reason::kFailed, kRunAction, after.reason + ": " + after.message});
        return;
      case api::RunPhase::Cancelled:
        notes.push_back({EventType::Normal, reason::kCancelled, "Cancel", after.message});
        return;
      case api::RunPhase::Suspended:
        notes.push_back({EventType::Normal, reason::kSuspended, "Suspend", after.message});
        return;
      case api::RunPhase::Compensating:
        notes.push_back({EventType::Warning, reason::kCompensating, "Compensate", after.message});
        return;
      case api::RunPhase::Compensated:
        notes.push_back({EventType::Warning, reason::kCompensated, "Compensate", after.message});
        return;
      case api::RunPhase::Running:
        if (before.phase == api::RunPhase::Suspended) {
          notes.push_back({EventType::Normal, reason::kResumed, "Resume", after.message});
        }
        break;
      case api::RunPhase::Pending:
        break;
    }
  }
  if (after.reason != before.reason && is_obstacle(after.reason)) {
    notes.push_back({EventType::Warning, after.reason, kRunAction, after.message});
  }
}

}  // namespace

std::vector<const api::StepStatus*> newly_ended(const api::WorkflowRunStatus& before,
                                                const api::WorkflowRunStatus& after) {
  std::unordered_set<std::string> known;
  for (const auto& row : before.steps) {
    if (api::is_terminal(row.phase)) {
      known.insert(row.name);
    }
  }
  std::vector<const api::StepStatus*> ended;
  for (const auto& row : after.steps) {
    if (api::is_terminal(row.phase) && known.count(row.name) == 0) {
      ended.push_back(&row);
    }
  }
  return ended;
}

std::vector<EventNote> events_between(const api::WorkflowRunStatus& before,
                                      const api::WorkflowRunStatus& after) {
  std::vector<EventNote> notes;
  add_changed_steps(before, after, notes);
  add_failed_steps(before, after, notes);
  add_phase_change(before, after, notes);
  return notes;
}

}  // namespace convoke::workflow
