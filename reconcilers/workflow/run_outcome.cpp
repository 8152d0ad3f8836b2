#include "reconcilers/workflow/run_outcome.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_scope.h"

namespace convoke::workflow {
namespace {

// Of all outputs together; the status that holds them has its own bound.
constexpr std::size_t kMaxOutputBytes = 256 * 1024;

std::string duration_text(const RunSnapshot& snapshot) {
  const auto started = parse_time(snapshot.status.started_at);
  return started ? " in " + human_duration(std::max(snapshot.now - *started, Duration::zero())) : "";
}

// True if the value names an optional step that has no outputs because it did not succeed.
bool names_optional_failure(const RunSnapshot& snapshot, const Rows& rows, const Json& value) {
  const auto references = expression::references(value, "");
  if (!references) {
    return false;
  }
  return std::any_of(references->begin(), references->end(), [&](const auto& reference) {
    if (reference.path.size() < 2 || reference.path[0] != "steps") {
      return false;
    }
    const auto step = snapshot.definition->find(reference.path[1]);
    return step && snapshot.definition->step(*step).optional &&
           rows[*step].phase != api::StepPhase::Succeeded;
  });
}

Result<api::RawJson> expand_outputs(const RunSnapshot& snapshot, const Rows& rows) {
  const auto& definition = *snapshot.definition;
  if (definition.spec.outputs.empty()) {
    return api::RawJson();
  }
  RunScope scope(snapshot, rows);
  scope.select_steps(definition.output_steps);
  Json outputs = Json::object();
  std::size_t bytes = 0;
  for (const auto& output : definition.spec.outputs) {
    const auto value = parse_json(output.value);
    if (!value) {
      return value.error();
    }
    const std::string where = "spec.outputs[" + output.name + "].value";
    auto expanded = expression::expand(*value, scope, where, kMaxOutputBytes);
    if (!expanded) {
      if (names_optional_failure(snapshot, rows, *value)) {
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

Outcome succeeded(const RunSnapshot& snapshot, const Rows& rows) {
  auto outputs = expand_outputs(snapshot, rows);
  if (!outputs) {
    return {api::RunPhase::Failed, reason::kInvalidOutput, outputs.error().message, {}};
  }
  const auto count = std::count_if(rows.begin(), rows.end(),
                                   [](const auto& row) { return row.phase == api::StepPhase::Succeeded; });
  return {api::RunPhase::Succeeded, reason::kSucceeded,
          std::to_string(count) + " of " + std::to_string(rows.size()) +
              (rows.size() == 1 ? " step" : " steps") + " succeeded" + duration_text(snapshot),
          std::move(*outputs)};
}

// `step "test" failed: 2 of 7 tests failed`: the message of the first one, for most runs have only one.
std::string describe_failures(const RunSnapshot& snapshot, const Rows& rows) {
  std::string text = name_failed_steps(*snapshot.definition, rows);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (fails_run(snapshot.definition->step(i), rows[i])) {
      const auto& row = rows[i];
      text += row.phase == api::StepPhase::Cancelled ? " was cancelled" : " failed";
      const auto& detail = row.message.empty() ? row.reason : row.message;
      return detail.empty() ? text : text + ": " + detail;
    }
  }
  return text + " failed";
}

}  // namespace

Outcome find_outcome(const RunSnapshot& snapshot, const Rows& rows, StopCause cause) {
  const bool interrupted = std::any_of(rows.begin(), rows.end(), [](const auto& row) {
    return row.phase == api::StepPhase::Cancelled || row.phase == api::StepPhase::Skipped;
  });
  if (interrupted && cause == StopCause::Cancelled) {
    return {api::RunPhase::Cancelled, reason::kCancelled, describe_stop(snapshot, rows, cause), {}};
  }
  if (interrupted && cause == StopCause::Timeout) {
    return {api::RunPhase::Failed, reason::kTimeout, describe_stop(snapshot, rows, cause), {}};
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (fails_run(snapshot.definition->step(i), rows[i])) {
      return {api::RunPhase::Failed, reason::kStepFailed, describe_failures(snapshot, rows), {}};
    }
  }
  return succeeded(snapshot, rows);
}

}  // namespace convoke::workflow
