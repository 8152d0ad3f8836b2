#include "reconcilers/agent/circuit_breaker.h"

#include "controller/base/time_format.h"

namespace convoke::agent {
namespace {

using api::CircuitState;

void change(api::AgentStatus& status, CircuitState to, WallTime now) {
  status.circuit = to;
  status.circuit_changed_at = format_micro_time(now);
  status.half_open_successes = 0;
  if (to == CircuitState::Closed) {
    status.consecutive_failures = 0;
  }
}

void succeeded_once(api::AgentStatus& status, const api::CircuitBreaker& breaker, WallTime now) {
  status.consecutive_failures = 0;
  if (status.circuit == CircuitState::HalfOpen && ++status.half_open_successes >= breaker.half_open_tasks) {
    change(status, CircuitState::Closed, now);
  }
}

void failed_once(api::AgentStatus& status, const api::CircuitBreaker& breaker, WallTime now) {
  ++status.consecutive_failures;
  const bool too_many = breaker.failure_threshold > 0 && status.circuit == CircuitState::Closed &&
                        status.consecutive_failures >= breaker.failure_threshold;
  if (too_many || status.circuit == CircuitState::HalfOpen) {
    change(status, CircuitState::Open, now);
  }
}

}  // namespace

void attempt_ended(api::AgentStatus& status, const api::CircuitBreaker& breaker, bool succeeded,
                   WallTime now) {
  if (succeeded) {
    succeeded_once(status, breaker, now);
  } else {
    failed_once(status, breaker, now);
  }
}

void time_passed(api::AgentStatus& status, const api::CircuitBreaker& breaker, Duration unchanged_for,
                 WallTime now) {
  if (status.circuit == CircuitState::Closed) {
    return;
  }
  if (breaker.failure_threshold == 0) {
    change(status, CircuitState::Closed, now);
  } else if (status.circuit == CircuitState::Open && unchanged_for >= breaker.open_for) {
    change(status, CircuitState::HalfOpen, now);
  }
}

}  // namespace convoke::agent
