// The state machine of a Task: one table, and the only place that changes TaskStatus.phase.
//
//   Pending -> Queued -> Assigned -> Running -> Succeeded | Failed | Cancelled
//
// Two kinds of Tasks get no agent, and leave Queued without one: a Task with subtasks is Running while these
// do its work, and a Task that takes the result of another one (idempotencyKey) is Succeeded at once.
//
// Back to Queued for a retry, a rejection or a lost agent; back to Pending while suspended or invalid. A
// short attempt goes from Assigned straight to its end. Terminal phases never change.
//
// With the phase go everything that belongs to it: reason, message, the kstatus conditions, the times, and
// what must not outlive an assignment.
//
// Thread safety: pure functions. Errors: Internal for a change that the table does not have (a defect of the
// caller); the status is then untouched.
#pragma once

#include <cstdint>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

struct PhaseChange {
  api::TaskPhase to;
  std::string reason;
  std::string message;
  std::int64_t generation = 0;  // of the spec that was decided on
  WallTime now;
  bool stalled = false;  // Pending only: nothing happens until a person edits the spec
};

// Whether a Task that agents work on may change so.
bool may_become(api::TaskPhase from, api::TaskPhase to);

// The two exceptions are recognized by `status.subtasks` and `status.result_from`, to be filled before.
Status transition(api::TaskStatus& status, const PhaseChange& change);

// Says that `generation` was seen where nothing else changes, in a terminal phase too.
void observe_generation(api::TaskStatus& status, std::int64_t generation);

}  // namespace convoke::task
