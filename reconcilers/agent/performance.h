// How well an agent works, as numbers in its status that forget slowly.
//
// Rates and means are exponentially weighted: the n-th attempt weighs 1/n, but at least kWeight, so that the
// first ones are a plain mean and later ones count for about the last twenty. The 95th percentile is a
// multiplicative stochastic approximation, which needs nothing but its last value: a longer duration raises
// it by kStep * 0.95 of itself (not further than a tenth above that duration), any other lowers it by kStep *
// 0.05. It stands still where one of twenty durations is longer. Durations are those of successful attempts.
//
// What was counted is in the status too, so that a restart counts nothing twice: the ids of the kMaxCounted
// assignments that were counted last, each with its end, and the latest end of those that are no longer among
// them. A write of a Task that is overtaken by fewer than kMaxCounted others of its agent is still told
// apart.
//
// Thread safety: pure functions. Errors: none.
#pragma once

#include <cstddef>

#include "reconcilers/agent/ended_attempt.h"
#include "reconcilers/api/agent.h"

namespace convoke::agent {

inline constexpr double kWeight = 0.1;
inline constexpr double kStep = 0.3;
inline constexpr std::size_t kMaxTaskTypes = 20;
inline constexpr std::size_t kMaxCounted = 20;

// Everything but the circuit.
void count(api::AgentStatus& status, const EndedAttempt& attempt);

// Whether the numbers hold the attempt, as far as the status can tell. Attempts that ended before the Agent
// was created are another's of the same name, and count as held.
bool is_counted(const api::Agent& agent, const EndedAttempt& attempt);
// Whether it is one of those that the status names.
bool is_named(const api::AgentStatus& status, const EndedAttempt& attempt);

}  // namespace convoke::agent
