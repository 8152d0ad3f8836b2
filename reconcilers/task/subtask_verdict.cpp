#include "reconcilers/task/subtask_verdict.h"

#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/task/reasons.h"
#include "reconcilers/task/subtask_spec.h"

namespace convoke::task {
namespace {

using api::AggregationStrategy;
using api::TaskPhase;
using Kind = SubtaskVerdict::Kind;

const api::SubtaskRow* find_row(const api::TaskStatus& status, const std::string& name) {
  const auto row = std::find_if(status.subtasks.begin(), status.subtasks.end(),
                                [&](const api::SubtaskRow& each) { return each.name == name; });
  return row == status.subtasks.end() ? nullptr : &*row;
}

bool has_failed(const api::SubtaskRow& row) {
  return row.phase == TaskPhase::Failed || row.phase == TaskPhase::Cancelled;
}

std::string name_failed(const std::vector<api::SubtaskRow>& rows) {
  constexpr std::size_t kShown = 3;
  std::string text;
  std::size_t failed = 0;
  for (const api::SubtaskRow& row : rows) {
    if (has_failed(row) && ++failed <= kShown) {
      text += (text.empty() ? "\"" : ", \"") + row.name + "\" (" + row.reason + ")";
    }
  }
  return (failed == 1 ? "subtask " : "subtasks ") + text +
         (failed > kShown ? " and " + std::to_string(failed - kShown) + " more" : "");
}

SubtaskVerdict failed(const std::vector<api::SubtaskRow>& rows, const std::string& more = "") {
  return {Kind::Failed, reason::kSubtasksFailed, name_failed(rows) + " did not succeed" + more};
}

// How many must succeed before nothing else is waited for.
std::size_t enough(const api::Aggregation& aggregation, const SubtaskCounts& counts) {
  switch (aggregation.strategy) {
    case AggregationStrategy::FirstSuccess:
      return 1;
    case AggregationStrategy::Quorum:
      return static_cast<std::size_t>(std::max(aggregation.quorum, 1));
    case AggregationStrategy::All:
    case AggregationStrategy::Any:
      break;
  }
  return counts.total;
}

// How many must succeed after all.
std::size_t needed(const api::Aggregation& aggregation, const SubtaskCounts& counts) {
  return aggregation.strategy == AggregationStrategy::Any ? 1 : enough(aggregation, counts);
}

}  // namespace

std::vector<api::SubtaskRow> subtask_rows(const api::Task& whole, const std::vector<SubtaskState>& states) {
  std::vector<api::SubtaskRow> rows;
  for (std::size_t i = 0; i < states.size(); ++i) {
    const api::Subtask& subtask = whole.spec.subtasks[i];
    const SubtaskState& state = states[i];
    const api::SubtaskRow* recorded = find_row(whole.status, subtask.name);
    api::SubtaskRow row = recorded != nullptr ? *recorded : api::SubtaskRow{subtask.name, {}, {}, {}};
    if (state.task != nullptr) {
      row.task_name = state.task->meta.name;
      row.phase = state.task->status.phase;
      row.reason = state.task->status.reason;
    } else if (state.gone) {
      row.phase = TaskPhase::Failed;
      row.reason = reason::kSubtaskDeleted;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

SubtaskCounts count(const std::vector<api::SubtaskRow>& rows) {
  SubtaskCounts counts;
  for (const api::SubtaskRow& row : rows) {
    ++counts.total;
    counts.succeeded += row.phase == TaskPhase::Succeeded ? 1 : 0;
    counts.failed += has_failed(row) ? 1 : 0;
  }
  return counts;
}

std::string describe_progress(const SubtaskCounts& counts) {
  return std::to_string(counts.succeeded) + " of " + std::to_string(counts.total) +
         " subtasks have succeeded" +
         (counts.failed > 0 ? ", " + std::to_string(counts.failed) + " did not" : "");
}

SubtaskVerdict judge(const api::Aggregation& aggregation, const std::vector<api::SubtaskRow>& rows,
                     bool time_is_up) {
  const SubtaskCounts counts = count(rows);
  const std::size_t must = needed(aggregation, counts);
  const bool nothing_left = counts.open() == 0 || time_is_up;
  if (counts.succeeded >= enough(aggregation, counts) || (nothing_left && counts.succeeded >= must)) {
    return {Kind::Succeeded, reason::kSucceeded, describe_progress(counts)};
  }
  if (counts.succeeded + counts.open() < must) {
    return failed(rows, aggregation.strategy == AggregationStrategy::All
                            ? ""
                            : "; " + std::to_string(must) + " of " + std::to_string(counts.total) +
                                  " must, " + std::to_string(counts.succeeded) + " did");
  }
  if (time_is_up) {
    return {
        Kind::Failed, reason::kTimeout,
        describe_progress(counts) + " when aggregation.timeout was over; " + std::to_string(must) + " must"};
  }
  return {};
}

std::optional<Duration> until_aggregation_timeout(const api::Task& whole,
                                                  const std::vector<SubtaskState>& states, WallTime now) {
  if (!whole.spec.aggregation.timeout) {
    return {};
  }
  std::optional<Duration> longest;
  for (const SubtaskState& state : states) {
    if (state.task != nullptr) {
      const Duration age = since(state.task->meta.creation_timestamp, now);
      longest = std::max(longest.value_or(age), age);
    }
  }
  return longest ? std::optional(*whole.spec.aggregation.timeout - *longest) : std::nullopt;
}

Result<api::RawJson> combine_outputs(const api::Task& whole, const std::vector<SubtaskState>& states,
                                     std::size_t max_bytes) {
  std::string combined;
  for (std::size_t i = 0; i < states.size(); ++i) {
    const TaskPtr& task = states[i].task;
    if (task == nullptr || task->status.phase != TaskPhase::Succeeded ||
        task->status.report.outputs.empty()) {
      continue;
    }
    combined += combined.empty() ? "{" : ",";
    combined += dump_json(Json(whole.spec.subtasks[i].name)) + ":" + task->status.report.outputs;
  }
  combined += combined.empty() ? "" : "}";
  if (combined.size() > max_bytes) {
    return Error{ErrorCode::Invalid, "the outputs of the subtasks have " + std::to_string(combined.size()) +
                                         " bytes together, " + std::to_string(max_bytes) + " are allowed"};
  }
  return combined;
}

}  // namespace convoke::task
