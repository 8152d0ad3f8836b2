// How the strategies (spec.assignment.strategy) score an agent: the more, the better; equal scores go by
// name.
//
//   CapabilityMatch    10 for each capability that the agent names, 1 for each that its "*" covers, minus the
//                      Tasks that it has
//   LeastLoaded        1 - Tasks / capacity
//   RoundRobin, Random nothing here: see agent_pool.h
//   PerformanceBased   0.4 * success rate + 0.3 * (1 - Tasks / capacity) + 0.3 * speed, of the Tasks of that
//                      type. Speed is `reference` / mean duration, at most 1, where the reference is the
//                      power of two milliseconds at or below the fastest agent of the pool: it moves rarely,
//                      so that one agent's news seldom concern the others' scores. An agent without
//                      statistics counts as perfect in both, so that a newcomer gets its chance; one that
//                      never succeeded has speed 0.
//   CostOptimized      minus (perTask + perMinute * expected minutes). The agent's own mean duration with
//                      that type is expected, or kUnknownDuration without one.
//
// Thread safety: pure functions. Errors: none.
#pragma once

#include <string>

#include "controller/base/clock.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

// What a Task is expected to take of an agent that never did one of its type.
inline constexpr Duration kUnknownDuration = std::chrono::minutes(1);

// Whether agents are judged by what they did with Tasks of the same type.
bool counts_by_type(api::Strategy strategy);

// `statistics` of the type; null: none yet.
double performance_score(const api::TaskTypeStatistics* statistics, double load_factor, Duration reference);
double expected_cost(const api::Cost& cost, const api::TaskTypeStatistics* statistics);
// The power of two milliseconds at or below it; at least one.
Duration speed_reference(Duration fastest);

// Decimal text for status.assignment.score: at most four decimals, eight of a cost.
std::string format_score(api::Strategy strategy, double score);

}  // namespace convoke::task
