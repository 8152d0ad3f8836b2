// An assignment rule: an expression over `agent` and `task` that must hold for an agent to get a Task. A Task
// has one in spec.requires.rule, the operator's configuration any number of them (assignment.rules).
//
//   agent.metadata, task.metadata   name, namespace, labels, annotations
//   agent.spec, agent.status        what rule_view.h lists
//   task.spec                       as in the API
//
// Labels, annotations and task.spec.parameters are always there, if need be empty, and so is what has a
// default. What changes all the time (heartbeats, the number of active Tasks, the Task's own status) is not
// there, and naming it is a mistake.
//
// Thread safety: pure functions. Errors: Invalid with a position; its message is one line.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"
#include "reconcilers/api/task.h"
#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/program_cache.h"

namespace convoke::task {

struct AssignmentRule {
  std::string name;
  std::vector<std::string> namespaces;  // where it applies; empty: everywhere
  std::string expression;
  std::string message;  // why an agent that it refuses does not fit, for people; may be empty
  bool operator==(const AssignmentRule&) const = default;
};

// Compiles it and checks that it names nothing that rules do not have. Without a cache it compiles anew.
Result<cel::ProgramPtr> compile_rule(const std::string& expression, cel::ProgramCache* programs = nullptr);

// What is wrong with the rule of a TaskSpec that lies at `path`, if anything is.
void add_rule_problem(const api::TaskSpec& spec, const std::string& path, std::vector<std::string>& problems);

// The first line of a message: without the source and the caret below it.
std::string first_line(const std::string& message);

}  // namespace convoke::task
