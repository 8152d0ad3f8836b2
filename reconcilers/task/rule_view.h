// Agents and Tasks as rules see them: JSON as in the API, without what changes all the time (see
// assignment_rule.h).
//
// Thread safety: pure functions.
#pragma once

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/expression/cel/cel.h"

namespace convoke::task {

inline constexpr std::array<std::string_view, 8> kAgentSpecOfRules{
    "type", "capabilities", "capacity", "cost", "cordoned", "heartbeat", "rateLimit", "circuitBreaker"};
inline constexpr std::array<std::string_view, 7> kAgentStatusOfRules{
    "phase", "circuit", "successRate", "averageDuration", "completedTasks", "failedTasks", "statistics"};

Json agent_view(const api::Agent& agent);

// What rules name of an agent: {"agent", "spec", "type"}. As often as they name it.
using AgentPaths = std::multiset<std::vector<std::string>>;
AgentPaths agent_paths(const std::vector<cel::Reference>& references);
// Whether rules that name only these see another agent.
bool looks_alike(const api::Agent& a, const api::Agent& b, const AgentPaths& paths);

// Only those parts of the Task that the references name, so that Tasks that are alike to the rules have equal
// views. A part that the Task does not have is not there, but what it would lie in is.
Json task_view(const api::Task& task, const std::vector<cel::Reference>& references);

}  // namespace convoke::task
