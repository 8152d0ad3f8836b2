#include "reconcilers/workflow/run_outcome.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "controller/base/time_format.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/compensation.h"
#include "reconcilers/workflow/reasons.h"

namespace convoke::workflow {
namespace {

// Of all outputs together; the status that holds them has its own bound.
constexpr std::size_t kMaxOutputBytes = 256 * 1024;

std::string duration_text(const RunSnapshot& snapshot) {
  const auto started = parse_time(snapshot.status.started_at);
  return started ? " in " + human_duration(std::max(snapshot.now - *started, Duration::zero())) : "";
}

// True if the value names a step that has no outputs because it did not run to success, as it may.
bool names_step_without_outputs(const Plan& plan, const Json& value) {
  const auto references = expression::references(value, "");
  if (!references) {
    return false;
  }
  return std::any_of(references->begin(), references->end(), [&](const auto& reference) {
    if (reference.path.size() < 2 || reference.path[0] != "steps") {
      return false;
    }
    const auto step = plan.definition.find(reference.path[1]);
    return step && !has_outputs(plan.rows[*step]);
  });
}

Result<api::RawJson> expand_outputs(Plan& plan) {
  if (plan.definition.spec.outputs.empty()) {
    return api::RawJson();
  }
  auto& scope = plan.scope();
  scope.clear_locals();
  scope.select_steps(plan.definition.output_steps);
  Json outputs = Json::object();
  std::size_t bytes = 0;
  for (const auto& output : plan.definition.spec.outputs) {
    const auto value = parse_json(output.value);
    if (!value) {
      return value.error();
    }
    const std::string where = "spec.outputs[" + output.name + "].value";
    auto expanded = expression::expand(*value, scope, where, kMaxOutputBytes);
    if (!expanded) {
      if (names_step_without_outputs(plan, *value)) {
        continue;
      }
      return expanded.error();
    }
    bytes += dump_json(*expanded).size();
    if (bytes > kMaxOutputBytes) {
      return Error{ErrorCode::Invalid,
                   where + ": the outputs are larger than " + std::to_string(kMaxOutputBytes) + " bytes"};
    }
    outputs[output.name] = std::move(*expanded);
  }
  return dump_json(outputs);
}

Outcome succeeded(const Plan& plan) {
  const auto skipped = std::count_if(plan.rows.begin(), plan.rows.end(),
                                     [](const auto& row) { return row.phase == api::StepPhase::Skipped; });
  const auto count = std::count_if(plan.rows.begin(), plan.rows.end(),
                                   [](const auto& row) { return row.phase == api::StepPhase::Succeeded; });
  return {api::RunPhase::Succeeded,
          reason::kSucceeded,
          std::to_string(count) + " of " + std::to_string(plan.rows.size()) +
              (plan.rows.size() == 1 ? " step" : " steps") + " succeeded" +
              (skipped > 0 ? ", " + std::to_string(skipped) + " skipped," : "") +
              duration_text(plan.snapshot),
          {}};
}

// `step "test" failed: 2 of 7 tests failed`: the message of the first one, for most runs have only one.
std::string describe_failures(const Plan& plan) {
  std::string text = name_failed_steps(plan.definition, plan.rows);
  for (const bool cancelled : {false, true}) {
    for (std::size_t i = 0; i < plan.rows.size(); ++i) {
      const auto& row = plan.rows[i];
      const bool names =
          fails_run(plan.definition.step(i), row) && (row.phase == api::StepPhase::Cancelled) == cancelled;
      if (names) {
        text += cancelled ? " was cancelled" : " failed";
        const auto& detail = row.message.empty() ? row.reason : row.message;
        return detail.empty() ? text : text + ": " + detail;
      }
    }
  }
  return text + " failed";
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "\"" : ", \"") + name + "\"";
  }
  return text;
}

// Steps that were stopped, or never started, because the run was to end. A state machine that was to end had
// a state to go on with or to come to, though none of its rows need say so: it may have been in each before.
bool was_interrupted(const Plan& plan) {
  return plan.definition.is_state_machine() ||
         std::any_of(plan.rows.begin(), plan.rows.end(), [](const auto& row) {
           return row.phase == api::StepPhase::Cancelled || row.reason == reason::kRunTimeout ||
                  row.reason == reason::kRunCancelled || row.reason == reason::kRunFailed;
         });
}

bool was_cleanup_cancelled(const Plan& plan) {
  const auto begin = plan.rows.begin() + static_cast<std::ptrdiff_t>(plan.definition.main_steps);
  return is_forced(*plan.snapshot.run) && std::any_of(begin, plan.rows.end(), [](const auto& row) {
           return row.phase == api::StepPhase::Cancelled;
         });
}

// A state that succeeded, and whose way on could not be taken, no longer says that it failed once it is
// undone; its message does.
std::string describe_undone_failure(const Plan& plan) {
  for (const auto& row : plan.rows) {
    if (row.phase == api::StepPhase::Compensated && !row.message.empty()) {
      return "step \"" + row.name + "\" failed: " + row.message;
    }
  }
  return "a step failed";
}

Outcome outcome_of_steps(const Plan& plan, StopCause cause) {
  const bool interrupted = was_interrupted(plan);
  if (interrupted && cause == StopCause::Cancelled) {
    return {api::RunPhase::Cancelled, reason::kCancelled, describe_stop(plan.snapshot, plan.rows, cause), {}};
  }
  if (interrupted && cause == StopCause::Timeout) {
    return {api::RunPhase::Failed, reason::kTimeout, describe_stop(plan.snapshot, plan.rows, cause), {}};
  }
  if (was_cleanup_cancelled(plan) && !any_step_failed(plan)) {
    return {api::RunPhase::Cancelled,
            reason::kCancelled,
            describe_stop(plan.snapshot, plan.rows, StopCause::Cancelled),
            {}};
  }
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    const bool undone = plan.rows[i].reason == reason::kCompensationFailed;
    if (fails_run(plan.definition.step(i), plan.rows[i]) && !undone) {
      return {api::RunPhase::Failed, reason::kStepFailed, describe_failures(plan), {}};
    }
  }
  if (cause == StopCause::StepFailed) {
    return {api::RunPhase::Failed, reason::kStepFailed, describe_undone_failure(plan), {}};
  }
  return succeeded(plan);
}

}  // namespace

Outcome find_outcome(const Plan& plan, StopCause cause) {
  auto outcome = outcome_of_steps(plan, cause);
  const auto undo = look_at_undone(plan);
  if (undo.undone.empty() && undo.standing.empty()) {
    return outcome;
  }
  if (undo.standing.empty()) {
    outcome.phase = api::RunPhase::Compensated;
    outcome.message += "; undone: " + quoted_list(undo.undone);
  } else {
    outcome = {api::RunPhase::Failed,
               reason::kCompensationFailed,
               outcome.message + "; the effects of " + quoted_list(undo.standing) + " stand" +
                   (undo.undone.empty() ? "" : "; undone: " + quoted_list(undo.undone)),
               {}};
  }
  return outcome;
}

Outcome find_last_outcome(Plan& plan, StopCause cause) {
  auto outcome = find_outcome(plan, cause);
  if (outcome.phase != api::RunPhase::Succeeded) {
    return outcome;
  }
  auto outputs = expand_outputs(plan);
  if (!outputs) {
    return {api::RunPhase::Failed, reason::kInvalidOutput, outputs.error().message, {}};
  }
  outcome.outputs = std::move(*outputs);
  return outcome;
}

}  // namespace convoke::workflow
