// What is to be done now about a Task that is brought to its agent: a pure function of what is known.
//
// status.dispatch is written before anything is sent. So whoever finds it there knows that a request may have
// been carried out: with delivery AtMostOnce only who wrote it may send, and after a restart nobody can tell
// any more what became of it; with AtLeastOnce it is sent again, under the same Idempotency-Key. What for
// sure was not carried out is withdrawn with AtMostOnce, and is begun anew.
//
// What a former assignment left at another agent never keeps a new one waiting: it is told so beside the
// Task's own way (dispatch_reconciler.h).
//
// Thread safety: pure. Errors: none.
#pragma once

#include <string>

#include "controller/base/clock.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"

namespace convoke::dispatch {

enum class Step {
  Nothing,
  Begin,           // write status.dispatch and the report Running
  Send,            // POST it, or make its Job
  Ask,             // GET its location, or look at its Job
  AwaitReport,     // the service, or whoever else has begun it, reports by itself
  OutcomeUnknown,  // it may have been sent by somebody who cannot be asked any more
  Stop,            // no agent has it, and what status.dispatch names must be told so
};

struct PlanInput {
  const api::Task& task;
  const api::Agent* agent;  // that status.agentName names; null: none
  std::string begun_here;   // the assignment that this process began, if any
};

Step plan(const PlanInput& input);

// Whether it is an agent (null: none) that Tasks are brought to, instead of one that comes for them.
bool brings_tasks_to(const api::Agent* agent);
// The Task has an agent now, and its assignment stands.
bool is_live(const api::Task& task);
// The assignment was reported to have ended.
bool is_reported_final(const api::Task& task);
// What was brought last is not wanted any more, and did not end by itself; also while the next assignment
// is live already.
bool must_be_stopped(const api::Task& task);
// What is left of the attempt's time.
Duration time_left(const api::Task& task, WallTime now);

}  // namespace convoke::dispatch
