// `why`: in sentences, what a Task or run waits for or why it ended so, and what a person can do.
//
// explain_*() are pure: all that they know is given to them. Errors of why(): those of Cluster.
#pragma once

#include <string>
#include <vector>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/qualify.h"
#include "programs/kubectl-convoke/world.h"

namespace convoke::plugin {

struct AgentWord {
  std::string agent;
  std::string word;
  bool fits = false;
};

struct Explanation {
  std::string object;  // "task/build"
  std::string phase;
  std::vector<std::string> because;
  std::vector<AgentWord> agents;
  std::vector<std::string> actions;  // what the person can do
  std::vector<std::string> events;
};

// `agents` of its namespace: who could take it now.
Explanation explain_task(const Json& task, const std::vector<api::Agent>& agents, WallTime now);
// `spec`: the definition that it executes; null: not known.
Explanation explain_run(const Json& run, const Json& spec, const World& world,
                        const std::vector<api::Agent>& agents, WallTime now);

Result<int> why(const Context& context, const std::string& target);

}  // namespace convoke::plugin
