// The circuit breaker of an agent: keeps Tasks from one that fails them all.
//
//   Closed    failureThreshold attempts failed in a row               -> Open
//   Open      openFor has passed                                      -> HalfOpen
//   HalfOpen  halfOpenTasks attempts succeeded                        -> Closed
//             an attempt failed                                       -> Open
//
// Whatever ends counts, also attempts that began before the last change: their results are as good a sign. A
// threshold of 0 means Closed. All state is in the Agent's status; what reads it is the scheduler.
//
// Thread safety: pure functions. Errors: none.
#pragma once

#include "controller/base/clock.h"
#include "reconcilers/api/agent.h"

namespace convoke::agent {

void attempt_ended(api::AgentStatus& status, const api::CircuitBreaker& breaker, bool succeeded,
                   WallTime now);

// `unchanged_for`: since the circuit changed last.
void time_passed(api::AgentStatus& status, const api::CircuitBreaker& breaker, Duration unchanged_for,
                 WallTime now);

}  // namespace convoke::agent
