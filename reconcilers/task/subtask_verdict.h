// How a Task with subtasks stands, and when it is done: its rows, the verdict of its aggregation, the outputs
// put together.
//
// Thread safety: pure functions. Errors: Invalid where the outputs are too large.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

using TaskPtr = std::shared_ptr<const api::Task>;

// One of spec.subtasks, as it is in the API.
struct SubtaskState {
  TaskPtr task;         // null: there is none
  bool gone = false;    // there was one, and somebody deleted it
  std::string refusal;  // it can never be created: why, for people
};

// One row for each subtask. What is not known any more stays as it was recorded.
std::vector<api::SubtaskRow> subtask_rows(const api::Task& whole, const std::vector<SubtaskState>& states);

struct SubtaskCounts {
  std::size_t total = 0;
  std::size_t succeeded = 0;
  std::size_t failed = 0;  // or cancelled, or deleted
  std::size_t open() const { return total - succeeded - failed; }
};
SubtaskCounts count(const std::vector<api::SubtaskRow>& rows);

// "7 of 10 subtasks have succeeded, 1 failed".
std::string describe_progress(const SubtaskCounts& counts);

struct SubtaskVerdict {
  enum class Kind { Open, Succeeded, Failed };
  Kind kind = Kind::Open;
  std::string reason;  // Failed
  std::string message;
};
// `time_is_up`: spec.aggregation.timeout is over.
SubtaskVerdict judge(const api::Aggregation& aggregation, const std::vector<api::SubtaskRow>& rows,
                     bool time_is_up);

// Until spec.aggregation.timeout is over, from the creation of the first subtask; none if there is no such
// limit, or nothing to count from.
std::optional<Duration> until_aggregation_timeout(const api::Task& whole,
                                                  const std::vector<SubtaskState>& states, WallTime now);

// {"<subtask>": <its outputs>, ...} of those that succeeded and have some; empty if none has.
Result<api::RawJson> combine_outputs(const api::Task& whole, const std::vector<SubtaskState>& states,
                                     std::size_t max_bytes);

}  // namespace convoke::task
