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

// The rows of a status, by their names.
class Steps {
 public:
  explicit Steps(const api::WorkflowRunStatus& status) {
    for (const auto& row : status.steps) {
      rows_.emplace(row.name, &row);
    }
  }
  // Null: there is none.
  const api::StepStatus* find(const std::string& name) const {
    const auto found = rows_.find(name);
    return found == rows_.end() ? nullptr : found->second;
  }

 private:
  std::unordered_map<std::string, const api::StepStatus*> rows_;
};

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

bool waits_for_somebody(const api::StepStatus& row) {
  return row.phase == api::StepPhase::Running &&
         (row.reason == reason::kWaitingForApproval || row.reason == reason::kWaitingForEvent);
}

// Where people, or something outside, have the next word; and each word that was given.
void add_waits(const Steps& known, const api::WorkflowRunStatus& after, std::vector<EventNote>& notes) {
  std::size_t told = 0;
  for (const auto& row : after.steps) {
    const auto* last = known.find(row.name);
    const bool approved = row.phase == api::StepPhase::Succeeded && row.reason == reason::kApproved;
    if (!(waits_for_somebody(row) || approved) ||
        (last != nullptr && last->reason == row.reason && last->message == row.message)) {
      continue;
    }
    if (++told <= kMaxStepEvents) {
      notes.push_back(
          {EventType::Normal, row.reason, kRunAction, "step \"" + row.name + "\": " + row.message});
    }
  }
}

void add_name(std::string& text, const char* what, const std::string& name) {
  text += (text.empty() ? std::string(what) + " " : ", ") + name;
}

// What changed, in one note: a run of one step says it all itself.
void add_changed_steps(const Steps& known, const api::WorkflowRunStatus& after,
                       std::vector<EventNote>& notes) {
  if (after.steps.size() < 2) {
    return;
  }
  std::map<api::StepPhase, std::string> changed;
  for (const auto& row : after.steps) {
    const auto* found = known.find(row.name);
    const auto last = found == nullptr ? api::StepPhase::Pending : found->phase;
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
  const Steps known(before);
  add_changed_steps(known, after, notes);
  add_waits(known, after, notes);
  add_failed_steps(before, after, notes);
  add_phase_change(before, after, notes);
  return notes;
}

}  // namespace convoke::workflow
