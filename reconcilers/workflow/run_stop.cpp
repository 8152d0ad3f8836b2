#include "reconcilers/workflow/run_stop.h"

#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {
namespace {

constexpr Duration kDefaultRunTimeout = std::chrono::hours(1);

// How long a step may wait for people, events or a time; zero of one that does none of that, or does not say.
Duration waiting_time(const api::Step& step) {
  if (step.approval) {
    return step.approval->timeout;
  }
  if (!step.wait) {
    return Duration::zero();
  }
  return step.timeout ? *step.timeout : parse_duration(step.wait->duration).value_or(Duration::zero());
}

StopCause recorded_cause(const api::WorkflowRunStatus& status) {
  for (const auto cause : {StopCause::Cancelled, StopCause::Timeout, StopCause::StepFailed}) {
    if (status.reason == reason_of(cause)) {
      return cause;
    }
  }
  return StopCause::None;
}

// Suspending holds only for the version that was seen: a Task that got its agent meanwhile is let finish.
Json suspend_patch(const Child& child) {
  return {{"metadata",
           {{"resourceVersion", child.meta().resource_version},
            {"annotations", {{annotation::kSuspendedByRun, "true"}}}}},
          {"spec", {{"suspend", true}}}};
}

Json resuming() {
  return {{"metadata", {{"annotations", {{annotation::kSuspendedByRun, nullptr}}}}},
          {"spec", {{"suspend", false}}}};
}

bool can_be_suspended(const Child& child) {
  if (child.run) {
    return !child.run->spec.suspend;
  }
  const auto phase = child.task->status.phase;
  return !child.task->spec.suspend && (phase == api::TaskPhase::Pending || phase == api::TaskPhase::Queued);
}

// By this run, and not by a person.
bool was_suspended(const Child& child) {
  return child.meta().annotations.count(annotation::kSuspendedByRun) > 0;
}

const char* reason_of_rows(StopCause cause) {
  return cause == StopCause::Cancelled ? reason::kRunCancelled
         : cause == StopCause::Timeout ? reason::kRunTimeout
                                       : reason::kRunFailed;
}

}  // namespace

const char* reason_of(StopCause cause) {
  switch (cause) {
    case StopCause::Cancelled:
      return reason::kCancelled;
    case StopCause::Timeout:
      return reason::kTimeout;
    case StopCause::StepFailed:
      return reason::kStepFailed;
    case StopCause::None:
      break;
  }
  return "";
}

bool is_cleaning_up(const Plan& plan) {
  if (plan.snapshot.status.phase == api::RunPhase::Compensating) {
    return true;
  }
  const auto begin = plan.rows.begin() + static_cast<std::ptrdiff_t>(plan.definition.main_steps);
  return std::any_of(begin, plan.rows.end(),
                     [](const auto& row) { return row.phase != api::StepPhase::Pending; });
}

bool any_step_failed(const Plan& plan) {
  for (std::size_t i = 0; i < plan.definition.main_steps; ++i) {
    if (fails_run(plan.definition.step(i), plan.rows[i])) {
      return true;
    }
  }
  return false;
}

StopCause find_stop(const Plan& plan) {
  if (const auto recorded = recorded_cause(plan.snapshot.status); recorded != StopCause::None) {
    return recorded;
  }
  if (is_cleaning_up(plan)) {
    return StopCause::None;
  }
  // A cancelled row may be this very stop's work, recorded before the stop itself was.
  const auto end = plan.rows.begin() + static_cast<std::ptrdiff_t>(plan.definition.main_steps);
  const bool interruptible = std::any_of(plan.rows.begin(), end, [](const auto& row) {
    return !api::is_terminal(row.phase) || row.phase == api::StepPhase::Cancelled;
  });
  if (interruptible && plan.snapshot.run->spec.cancel) {
    return StopCause::Cancelled;
  }
  if (interruptible && run_deadline(plan.snapshot) <= plan.snapshot.now) {
    return StopCause::Timeout;
  }
  // A state machine may answer a failure by a transition.
  const bool aborts = plan.definition.spec.on_failure != api::FailurePolicy::Continue &&
                      !plan.definition.is_state_machine() && !main_ended(plan.snapshot, plan.rows);
  return aborts && any_step_failed(plan) ? StopCause::StepFailed : StopCause::None;
}

bool is_to_be_undone(const RunSnapshot& snapshot, StopCause cause) {
  if (cause == StopCause::Cancelled) {
    return snapshot.run->spec.cancel && snapshot.run->spec.cancel->compensate;
  }
  return cause != StopCause::None && snapshot.definition->spec.on_failure == api::FailurePolicy::Compensate;
}

std::string describe_stop(const RunSnapshot& snapshot, const Rows& rows, StopCause cause) {
  switch (cause) {
    case StopCause::Cancelled: {
      const auto& cancel = snapshot.run->spec.cancel;
      return "cancelled" + (cancel && !cancel->reason.empty() ? ": " + cancel->reason : std::string());
    }
    case StopCause::Timeout:
      return "timed out after " + human_duration(run_timeout(*snapshot.definition));
    case StopCause::StepFailed:
      return name_failed_steps(*snapshot.definition, rows) + " failed";
    case StopCause::None:
      break;
  }
  return {};
}

void halt_steps(Plan& plan, StopCause cause) {
  const Halt halt{reason_of_rows(cause), "run " + describe_stop(plan.snapshot, plan.rows, cause),
                  is_to_be_undone(plan.snapshot, cause)};
  for (std::size_t i = 0; i < plan.definition.main_steps; ++i) {
    auto& row = plan.rows[i];
    if (row.phase == api::StepPhase::Running) {
      halt_step(plan, i, halt);
    } else if (row.phase == api::StepPhase::Pending) {
      end_row(row, cause == StopCause::Cancelled ? api::StepPhase::Cancelled : api::StepPhase::Skipped,
              halt.reason, "", plan.now);
    }
  }
}

void halt_finally(Plan& plan) {
  Halt halt{reason::kRunTimeout, "finally timed out after " + human_duration(run_timeout(plan.definition))};
  if (is_forced(*plan.snapshot.run)) {
    halt = {reason::kRunCancelled, "run " + describe_stop(plan.snapshot, plan.rows, StopCause::Cancelled)};
  }
  for (std::size_t i = plan.definition.main_steps; i < plan.rows.size(); ++i) {
    auto& row = plan.rows[i];
    if (row.phase == api::StepPhase::Running) {
      halt_step(plan, i, halt);
    } else if (row.phase == api::StepPhase::Pending) {
      end_row(row, api::StepPhase::Cancelled, halt.reason, halt.message, plan.now);
    }
  }
}

void cancel_strays(Plan& plan) {
  for (const auto& [key, child] : plan.snapshot.children) {
    const auto& row = plan.rows[key.step];
    if (key.undo || child.ended() || !api::is_terminal(row.phase)) {
      continue;
    }
    const auto items = ItemPhases::parse(row.items).value_or(ItemPhases());
    const auto item = static_cast<std::size_t>(std::max(key.item, 0));
    const bool unknown = key.item < 0 ? row.task_name.empty() && row.run_name.empty()
                                      : item >= items.size() || items[item] == ItemPhases::kSkipped;
    if (unknown) {
      plan.cancel(child, "step " + row.name + " has ended without it");
    }
  }
}

void suspend_or_resume(Plan& plan) {
  const bool suspend = plan.snapshot.run->spec.suspend;
  for (const auto& [key, child] : plan.snapshot.children) {
    if (!child.ended() && (suspend ? can_be_suspended(child) : was_suspended(child))) {
      plan.patches.push_back({child, suspend ? suspend_patch(child) : resuming()});
    }
  }
}

void resume_runs(Plan& plan) {
  for (const auto& [key, child] : plan.snapshot.children) {
    if (auto patch = resume_patch(*plan.snapshot.run, child)) {
      plan.patches.push_back(std::move(*patch));
    }
  }
}

std::optional<ChildPatch> resume_patch(const api::WorkflowRun& run, const Child& child) {
  const bool wanted = !run.spec.suspend && child.run && !child.ended() && was_suspended(child);
  return wanted ? std::optional(ChildPatch{child, resuming()}) : std::nullopt;
}

bool is_forced(const api::WorkflowRun& run) {
  return run.spec.cancel && run.spec.cancel->force;
}

Duration run_timeout(const Definition& definition) {
  if (definition.spec.timeout) {
    return *definition.spec.timeout;
  }
  Duration time = kDefaultRunTimeout;
  for (std::size_t i = 0; i < definition.size(); ++i) {
    time += waiting_time(definition.step(i));
  }
  return time;
}

WallTime run_deadline(const RunSnapshot& snapshot) {
  const auto& status = snapshot.status;
  const auto started =
      parse_time(status.round_started_at.empty() ? status.started_at : status.round_started_at);
  return (started ? *started : snapshot.now) + run_timeout(*snapshot.definition);
}

std::optional<WallTime> finally_deadline(const Plan& plan) {
  std::string first;
  for (std::size_t i = plan.definition.main_steps; i < plan.rows.size(); ++i) {
    const auto& started = plan.rows[i].started_at;
    first = first.empty() || (!started.empty() && started < first) ? started : first;
  }
  const auto time = parse_time(first);
  return time ? std::optional(*time + run_timeout(plan.definition)) : std::nullopt;
}

std::string name_failed_steps(const Definition& definition, const Rows& rows) {
  constexpr std::size_t kShown = 5;
  // What was cancelled because something else failed is not named beside it.
  const auto names_run = [&](std::size_t i, bool failed_only) {
    return fails_run(definition.step(i), rows[i]) &&
           (!failed_only || rows[i].phase == api::StepPhase::Failed);
  };
  bool any_failed = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    any_failed = any_failed || names_run(i, true);
  }
  std::string names;
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (names_run(i, any_failed) && ++count <= kShown) {
      names += (names.empty() ? "\"" : ", \"") + rows[i].name + "\"";
    }
  }
  if (count > kShown) {
    names += " and " + std::to_string(count - kShown) + " more";
  }
  return (count == 1 ? "step " : "steps ") + names;
}

}  // namespace convoke::workflow
