#include "reconcilers/workflow/run_rows.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_map>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/sub_run.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxRowMessageBytes = 256;

// An iteration may have started, or been refused, before the record of it was written.
void find_iteration(const RunSnapshot& snapshot, api::StepStatus& row, std::size_t i) {
  if (!snapshot.definition->step(i).repeat) {
    return;
  }
  row.iteration = std::max({row.iteration, 1, snapshot.last_iteration({i, -1, 0, row.round, false})});
}

void apply_absence(const RunSnapshot& snapshot, api::StepStatus& row, const ChildKey& key,
                   const std::string& now) {
  if (snapshot.gone.count(key) > 0) {
    end_row(row, api::StepPhase::Failed, reason::kTaskDeleted,
            (row.run_name.empty() ? "Task " + row.task_name : "WorkflowRun " + row.run_name) +
                " was deleted before it ended; what it did is unknown, so it is not run again",
            now);
  } else if (const auto refused = snapshot.refused.find(key); refused != snapshot.refused.end()) {
    end_row(row, api::StepPhase::Failed, refused->second.reason, refused->second.message, now);
  }
}

// Whether one that succeeded is repeated is for the step to decide; see run_step.h and item_repeat.h.
bool ends_step(const api::Step& step, const Child& child) {
  const bool may_repeat = step.repeat && child.phase() == api::StepPhase::Succeeded;
  return child.ended() && !may_repeat && !is_to_go_on(step, child);
}

void observe_child(const RunSnapshot& snapshot, api::StepStatus& row, std::size_t i, const std::string& now) {
  const auto& step = snapshot.definition->step(i);
  find_iteration(snapshot, row, i);
  const auto key = current_key(snapshot, row, i);
  const auto& child = snapshot.child(key);
  if (!child) {
    apply_absence(snapshot, row, key, now);
    return;
  }
  const bool is_new =
      row.phase == api::StepPhase::Pending || (row.task_name + row.run_name) != child.meta().name;
  if (is_new) {
    const auto& created = child.meta().creation_timestamp;
    start_row(row, step, child.meta().name,
              !row.started_at.empty() ? row.started_at
              : created.empty()       ? now
                                      : created);
  }
  if (ends_step(step, child)) {
    const bool timed_out = row.reason == reason::kTimeout && child.phase() == api::StepPhase::Cancelled;
    const std::string why = row.message;
    end_row(row, child, now);
    if (timed_out) {
      end_row(row, api::StepPhase::Failed, reason::kTimeout, why, row.completed_at);
    }
  }
}

// A run that was cancelled when its time was over has failed.
bool is_too_late(const api::Step& step, const Child& child) {
  const auto end = child.run ? end_of_time(step, child) : std::nullopt;
  const auto ended = parse_time(child.completed_at());
  return end && ended && *ended >= *end;
}

char letter_of(const api::Step& step, const Child& child) {
  const auto phase = child.phase();
  return phase == api::StepPhase::Succeeded                                ? ItemPhases::kSucceeded
         : phase == api::StepPhase::Cancelled && !is_too_late(step, child) ? ItemPhases::kCancelled
                                                                           : ItemPhases::kFailed;
}

// Why the item can have no child any more; empty if it can.
std::string item_problem(const RunSnapshot& snapshot, const ChildKey& key) {
  const auto refused = snapshot.refused.find(key);
  if (refused != snapshot.refused.end()) {
    return refused->second.message;
  }
  return snapshot.gone.count(key) > 0 ? "its Task was deleted before it ended; what it did is unknown" : "";
}

void observe_items(const RunSnapshot& snapshot, api::StepStatus& row, std::size_t i) {
  auto items = ItemPhases::parse(row.items);
  if (!items || row.phase == api::StepPhase::Pending) {
    return;  // made again when the step starts: a child that is there already is met then
  }
  for (std::size_t item = 0; item < items->size(); ++item) {
    const char letter = (*items)[item];
    if (letter != ItemPhases::kPending && letter != ItemPhases::kRunning) {
      continue;
    }
    const auto key = item_key(snapshot, row, i, static_cast<int>(item));
    if (const auto& child = snapshot.child(key)) {
      const auto& step = snapshot.definition->step(i);
      items->set(item, ends_step(step, child) ? letter_of(step, child) : ItemPhases::kRunning);
    } else if (const auto why = item_problem(snapshot, key); !why.empty()) {
      items->set(item, ItemPhases::kFailed);
      if (row.reason.empty()) {  // there will be no child to ask
        explain_row(row, reason::kItemsFailed, "item " + std::to_string(item) + ": " + why);
      }
    }
  }
  row.items = items->text();
}

// Children of a state to come may be there already, if the record of the last transitions was lost; they are
// met when the state is reached again.
bool may_have_started(const RunSnapshot& snapshot, std::size_t i) {
  const auto& definition = *snapshot.definition;
  if (!definition.is_state(i)) {
    return true;
  }
  const auto& current = snapshot.status.current_step;
  return current.empty() ? i == 0 : definition.step(i).name == current;
}

bool is_any_of(const std::string& reason, std::initializer_list<const char*> reasons) {
  return std::any_of(reasons.begin(), reasons.end(), [&](const char* other) { return reason == other; });
}

}  // namespace

void start_row(api::StepStatus& row, const api::Step& step, const std::string& child,
               const std::string& started_at) {
  row.phase = api::StepPhase::Running;
  (step.workflow ? row.run_name : row.task_name) = child;
  row.started_at = started_at;
  explain_row(row, "", "");
}

void end_row(api::StepStatus& row, api::StepPhase phase, const std::string& reason,
             const std::string& message, const std::string& now) {
  row.phase = phase;
  explain_row(row, reason, message);
  row.completed_at = now;
}

void end_row(api::StepStatus& row, const Child& child, const std::string& now) {
  const bool succeeded = child.phase() == api::StepPhase::Succeeded;
  end_row(row, child.phase(), succeeded ? "" : child.reason(), succeeded ? "" : child.message(),
          child.completed_at().empty() ? now : child.completed_at());
}

void explain_row(api::StepStatus& row, const std::string& reason, const std::string& message) {
  row.reason = reason;
  row.message = api::cut_text(message, kMaxRowMessageBytes);
}

ChildKey current_key(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step) {
  const bool numbered = snapshot.definition->step(step).repeat || snapshot.definition->is_state(step);
  return {step, -1, numbered ? std::max(row.iteration, 1) : 0, row.round, false};
}

ChildKey item_key(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step, int item) {
  ChildKey key{step, item, snapshot.definition->is_state(step) ? std::max(row.iteration, 1) : 0, row.round,
               false};
  if (snapshot.definition->step(step).repeat) {
    key.iteration = std::max(1, snapshot.last_iteration(key));
  }
  return key;
}

void observe_row(const RunSnapshot& snapshot, api::StepStatus& row, std::size_t i) {
  const auto& step = snapshot.definition->step(i);
  if (step.for_each) {
    observe_items(snapshot, row, i);
  } else if (!step.approval && !step.wait) {
    observe_child(snapshot, row, i, format_time(snapshot.now));
  }
}

Rows observe_rows(const RunSnapshot& snapshot) {
  const auto& definition = *snapshot.definition;
  std::unordered_map<std::string, const api::StepStatus*> recorded;
  for (const auto& row : snapshot.status.steps) {
    recorded.emplace(row.name, &row);
  }
  Rows rows(definition.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto& row = rows[i];
    row.name = definition.step(i).name;
    row.round = snapshot.status.round;
    if (const auto found = recorded.find(row.name); found != recorded.end()) {
      row = *found->second;
    }
    if (!api::is_terminal(row.phase) && may_have_started(snapshot, i)) {
      observe_row(snapshot, row, i);
    }
  }
  return rows;
}

bool has_outputs(const api::StepStatus& row) {
  return row.phase == api::StepPhase::Succeeded || row.phase == api::StepPhase::Compensating ||
         row.phase == api::StepPhase::Compensated || row.reason == reason::kCompensationFailed;
}

bool is_done(const api::Step& step, const api::StepStatus& row) {
  switch (row.phase) {
    case api::StepPhase::Succeeded:
      return true;
    case api::StepPhase::Skipped:
      return !is_any_of(row.reason, {reason::kDependencyFailed, reason::kRunFailed, reason::kRunTimeout});
    case api::StepPhase::Failed:
    case api::StepPhase::Cancelled:
      return step.optional;
    default:
      return false;
  }
}

bool fails_run(const api::Step& step, const api::StepStatus& row) {
  const bool failed = row.phase == api::StepPhase::Failed || row.phase == api::StepPhase::Cancelled;
  return failed && !step.optional && row.reason != reason::kTransitionTaken;
}

bool main_ended(const RunSnapshot& snapshot, const Rows& rows) {
  const auto end = rows.begin() + static_cast<std::ptrdiff_t>(snapshot.definition->main_steps);
  return std::all_of(rows.begin(), end, [](const auto& row) { return api::is_terminal(row.phase); });
}

bool all_ended(const Rows& rows) {
  return std::all_of(rows.begin(), rows.end(), [](const auto& row) { return api::is_terminal(row.phase); });
}

}  // namespace convoke::workflow
