#include "reconcilers/workflow/run_status.h"

#include <algorithm>
#include <set>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxMessageBytes = 1024;

api::StepCounts count_rows(const Rows& rows) {
  api::StepCounts counts;
  counts.total = static_cast<int>(rows.size());
  for (const auto& row : rows) {
    switch (row.phase) {
      case api::StepPhase::Pending:
        ++counts.pending;
        break;
      case api::StepPhase::Running:
        ++counts.running;
        break;
      case api::StepPhase::Succeeded:
        ++counts.succeeded;
        break;
      case api::StepPhase::Failed:
        ++counts.failed;
        break;
      case api::StepPhase::Skipped:
        ++counts.skipped;
        break;
      case api::StepPhase::Cancelled:
        ++counts.cancelled;
        break;
      case api::StepPhase::Compensating:
        ++counts.running;
        break;
      case api::StepPhase::Compensated:
        ++counts.compensated;
        break;
    }
  }
  return counts;
}

// Steps that ran to an end, of all: what was skipped or never started is not progress.
std::string progress_of(const Rows& rows) {
  std::size_t ended = 0;
  for (const auto& row : rows) {
    const bool never_ran = row.phase == api::StepPhase::Skipped ||
                           (row.phase == api::StepPhase::Cancelled && row.started_at.empty());
    ended += api::is_terminal(row.phase) && !never_ran ? 1 : 0;
  }
  return std::to_string(ended) + "/" + std::to_string(rows.size());
}

void set_phase(api::WorkflowRunStatus& status, api::RunPhase phase, api::Health health,
               const std::string& reason, const std::string& message, const api::WorkflowRun& run,
               WallTime now) {
  status.present = true;
  status.phase = phase;
  status.reason = reason;
  status.message = api::cut_text(message, kMaxMessageBytes);
  status.observed_generation = run.meta.generation;
  api::set_health(status.conditions, health, reason, status.message, run.meta.generation, format_time(now));
}

void set_end(api::WorkflowRunStatus& status, WallTime now) {
  status.completed_at = format_micro_time(now);
  const auto started = parse_time(status.started_at);
  status.duration = started ? human_duration(std::max(now - *started, Duration::zero())) : "";
}

api::Health health_of(api::RunPhase ended) {
  return ended == api::RunPhase::Succeeded ? api::Health::Current : api::Health::Failed;
}

void set_rows(api::WorkflowRunStatus& status, Rows rows) {
  status.steps = std::move(rows);
  status.counts = count_rows(status.steps);
  status.progress = progress_of(status.steps);
}

api::WorkflowRunStatus started_status(Plan& plan) {
  auto status = plan.snapshot.status;
  status.revision = plan.snapshot.revision;
  status.parameters = plan.snapshot.parameters;
  status.transitions = plan.transitions;
  status.current_step = plan.current_step;
  set_rows(status, std::move(plan.rows));
  return status;
}

// What people are waited for, so that `kubectl get` says it.
std::string describe_waits(const api::WorkflowRunStatus& status) {
  for (const auto& row : status.steps) {
    const bool waits = row.phase == api::StepPhase::Running &&
                       (row.reason == reason::kWaitingForApproval || row.reason == reason::kWaitingForEvent);
    if (waits) {
      return "; step \"" + row.name + "\": " + row.message;
    }
  }
  return {};
}

std::string describe_held(const RunSnapshot& snapshot) {
  return snapshot.held.empty() ? "" : "; refused for now: " + snapshot.held.begin()->second;
}

std::string describe_progress(const api::WorkflowRunStatus& status) {
  const auto& counts = status.counts;
  std::string text = status.progress + " steps done, " + std::to_string(counts.running) + " running";
  if (counts.failed > 0) {
    text += ", " + std::to_string(counts.failed) + " failed";
  }
  return text + describe_waits(status);
}

// The bytes of a JSON string, quotes included, at most.
std::size_t json_bytes(const std::string& text) {
  std::size_t bytes = text.size() + 2;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      bytes += 1;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      bytes += 5;
    }
  }
  return bytes;
}

// No less than the status takes as JSON; cheap, so that most statuses need not be written out to be measured.
std::size_t upper_bound(const api::WorkflowRunStatus& status) {
  constexpr std::size_t kFixedBytes = 4096;
  constexpr std::size_t kRowBytes = 48;  // {"name":,"phase":"Compensating"},
  const auto field = [](std::size_t key, const std::string& value) {
    return value.empty() ? 0 : key + 4 + json_bytes(value);
  };
  const auto list = [&](std::size_t key, const std::vector<std::string>& values) {
    std::size_t all = values.empty() ? 0 : key + 5;
    for (const auto& value : values) {
      all += json_bytes(value) + 1;
    }
    return all;
  };
  const auto number = [](int value) { return value == 0 ? std::size_t{0} : std::size_t{25}; };
  std::size_t bytes =
      kFixedBytes + status.parameters.size() + status.outputs.size() + json_bytes(status.message);
  for (const auto& condition : status.conditions) {
    bytes += json_bytes(condition.message);
  }
  for (const auto& row : status.steps) {
    bytes += kRowBytes + json_bytes(row.name) + field(6, row.reason) + field(7, row.message) +
             field(8, row.task_name) + field(7, row.run_name) + field(20, row.compensation_name) +
             field(5, row.items) + field(14, row.item_iterations) + field(9, row.started_at) +
             field(11, row.completed_at) + list(10, row.approved_by) + number(row.iteration) +
             number(row.round) + number(row.order);
  }
  return bytes;
}

std::size_t exact_bytes(const api::WorkflowRun& run, const api::WorkflowRunStatus& status) {
  return dump_json(api::status_update(run, status)["status"]).size();
}

// Where the Task has it too: its name follows from the step's, and it has its own times. A row that has not
// ended keeps all.
void drop_task_names(const api::WorkflowRun& run, api::WorkflowRunStatus& status) {
  for (auto& row : status.steps) {
    const ChildKey key{0, -1, row.iteration, row.round, false};
    if (api::is_terminal(row.phase) && row.task_name == first_name(run, row.name, key)) {
      row.task_name.clear();
    }
    const ChildKey undo{0, -1, 0, status.round, true};
    if (row.phase == api::StepPhase::Compensated &&
        row.compensation_name == first_name(run, row.name, undo)) {
      row.compensation_name.clear();
    }
  }
}

void drop_starts(const api::WorkflowRun&, api::WorkflowRunStatus& status) {
  for (auto& row : status.steps) {
    if (row.phase == api::StepPhase::Succeeded || row.phase == api::StepPhase::Compensated) {
      row.started_at.clear();
    }
    if (row.reason == reason::kCompensated) {  // as its phase says
      row.reason.clear();
    }
  }
}

void drop_messages(const api::WorkflowRun&, api::WorkflowRunStatus& status) {
  for (auto& row : status.steps) {
    row.message.clear();
  }
}

bool fits(const api::WorkflowRun& run, const api::WorkflowRunStatus& status) {
  return upper_bound(status) <= kMaxStatusBytes || exact_bytes(run, status) <= kMaxStatusBytes;
}

}  // namespace

api::WorkflowRunStatus running_status(Plan& plan, StopCause cause, bool compensating) {
  const auto& snapshot = plan.snapshot;
  const auto& run = *snapshot.run;
  auto status = started_status(plan);
  const std::string progress = describe_progress(status) + describe_held(snapshot);
  if (compensating) {
    set_phase(status, api::RunPhase::Compensating, api::Health::InProgress, reason_of(cause),
              describe_stop(snapshot, status.steps, cause) +
                  "; undoing what was done: " + std::to_string(status.counts.compensated) + " steps undone",
              run, snapshot.now);
  } else if (cause != StopCause::None) {
    set_phase(status, api::RunPhase::Running, api::Health::InProgress, reason_of(cause),
              describe_stop(snapshot, status.steps, cause) + "; waiting for what still runs: " + progress,
              run, snapshot.now);
  } else if (run.spec.suspend) {
    set_phase(status, api::RunPhase::Suspended, api::Health::InProgress, reason::kSuspended,
              "suspended; nothing new starts: " + progress, run, snapshot.now);
  } else {
    set_phase(status, api::RunPhase::Running, api::Health::InProgress, reason::kRunning, progress, run,
              snapshot.now);
  }
  return status;
}

api::WorkflowRunStatus final_status(Plan& plan, Outcome outcome) {
  auto status = started_status(plan);
  status.outputs = std::move(outcome.outputs);
  set_end(status, plan.snapshot.now);
  set_phase(status, outcome.phase, health_of(outcome.phase), outcome.reason, outcome.message,
            *plan.snapshot.run, plan.snapshot.now);
  return status;
}

api::WorkflowRunStatus refused_status(const api::WorkflowRun& run, const std::string& reason,
                                      const std::string& message, WallTime now) {
  auto status = run.status;
  set_end(status, now);
  set_phase(status, api::RunPhase::Failed, api::Health::Failed, reason, message, run, now);
  return status;
}

api::WorkflowRunStatus cancelled_status(const api::WorkflowRun& run, WallTime now) {
  auto status = run.status;
  set_end(status, now);
  const bool explained = run.spec.cancel && !run.spec.cancel->reason.empty();
  set_phase(status, api::RunPhase::Cancelled, api::Health::Failed, reason::kCancelled,
            "cancelled before it started" + (explained ? ": " + run.spec.cancel->reason : std::string()), run,
            now);
  return status;
}

api::WorkflowRunStatus abandoned_status(const api::WorkflowRun& run, const api::WorkflowRunStatus& last,
                                        const std::string& why, WallTime now) {
  auto status = last;
  for (auto& row : status.steps) {
    if (!api::is_terminal(row.phase)) {
      end_row(row, api::StepPhase::Cancelled, reason::kRunCancelled, "", format_time(now));
    }
  }
  set_rows(status, std::move(status.steps));
  set_end(status, now);
  const bool explained = run.spec.cancel && !run.spec.cancel->reason.empty();
  set_phase(status, api::RunPhase::Cancelled, api::Health::Failed, reason::kCancelled,
            (explained ? "cancelled: " + run.spec.cancel->reason : std::string("cancelled")) +
                "; nothing was undone and `finally` did not run: " + why,
            run, now);
  return status;
}

api::WorkflowRunStatus waiting_status(const api::WorkflowRun& run, const api::WorkflowRunStatus& last,
                                      const std::string& reason, const std::string& message, bool stalled,
                                      WallTime now) {
  auto status = last;
  set_phase(status, last.present ? last.phase : api::RunPhase::Pending,
            stalled ? api::Health::Failed : api::Health::InProgress, reason, message, run, now);
  return status;
}

api::WorkflowRunStatus suspended_status(const api::WorkflowRun& run, WallTime now) {
  auto status = run.status;
  set_phase(status, api::RunPhase::Suspended, api::Health::InProgress, reason::kSuspended,
            "suspended before it started", run, now);
  return status;
}

api::WorkflowRunStatus edited_status(const api::WorkflowRun& run) {
  auto status = run.status;
  status.observed_generation = run.meta.generation;
  for (auto& condition : status.conditions) {
    condition.observed_generation = run.meta.generation;
  }
  return status;
}

bool fit_status(const api::WorkflowRun& run, api::WorkflowRunStatus& status) {
  for (const auto drop : {drop_task_names, drop_starts, drop_messages}) {
    if (fits(run, status)) {
      return true;
    }
    drop(run, status);
  }
  return fits(run, status);
}

api::WorkflowRunStatus too_large_status(const RunSnapshot& snapshot, const api::WorkflowRunStatus& wanted) {
  const auto& run = *snapshot.run;
  auto status = wanted;
  const std::string message = "the status would hold " + std::to_string(exact_bytes(run, wanted)) +
                              " bytes, of which " + std::to_string(wanted.parameters.size()) +
                              " are parameters and " + std::to_string(wanted.outputs.size()) +
                              " outputs; at most " + std::to_string(kMaxStatusBytes) +
                              " fit: use fewer steps, or pass large values by reference";
  status.parameters.clear();
  status.outputs.clear();
  std::set<std::size_t> with_children;  // what was to start now is not started
  for (const auto& [key, child] : snapshot.children) {
    with_children.insert(key.step);
  }
  for (std::size_t i = 0; i < status.steps.size(); ++i) {
    const auto& row = status.steps[i];
    const bool started = with_children.count(i) > 0;
    api::StepStatus small;
    small.name = row.name;
    small.phase = api::is_terminal(row.phase) ? row.phase
                  : started                   ? api::StepPhase::Cancelled
                                              : api::StepPhase::Skipped;
    small.task_name = started ? row.task_name : "";
    small.run_name = started ? row.run_name : "";
    small.round = row.round;
    status.steps[i] = std::move(small);
  }
  set_rows(status, std::move(status.steps));
  set_end(status, snapshot.now);
  set_phase(status, api::RunPhase::Failed, api::Health::Failed, reason::kStatusTooLarge, message, run,
            snapshot.now);
  if (!fits(run, status)) {
    status.steps.clear();  // the counts still say how far it got
  }
  return status;
}

}  // namespace convoke::workflow
