// A definition as people look at it: its steps, what each is, and which waits for which. Read from the spec
// as it stands, so that a kind of step which this program does not know is still shown.
//
// Values and pure functions. Errors: none; what does not make sense is left out (`lint` says so).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::plugin {

struct Transition {
  std::string when;  // empty: always
  std::string to;
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct StepView {
  std::string name;
  std::string kind;    // "task", "approval", "wait", "workflow"
  std::string detail;  // its Task's type, the approvers, what it waits for, the Workflow that it runs
  std::vector<std::string> depends_on;               // also what its mode adds
  std::map<std::string, std::string> outcomes = {};  // of those: which end is waited for, where one is named
  std::string when;
  Json for_each;  // null: none
  Json repeat;
  std::vector<Transition> transitions;
  std::string compensate;  // type of the Task that undoes it
  bool optional = false;
  bool is_finally = false;
  Json json;  // the whole step
};

struct WorkflowView {
  std::string name;
  std::string mode;
  std::int64_t parallelism = 0;
  std::vector<StepView> steps;  // those of `finally` at the end

  const StepView* find(const std::string& step) const;
  // Of each of `steps`, what leads to it: dependencies, and in a state machine the transitions from steps
  // that stand before it.
  std::vector<std::vector<std::size_t>> before() const;
  // Positions in `steps`, each layer after the one that it waits for; those of `finally` after all others.
  // Steps of a cycle are in the last layer. In a state machine, a step comes after those that lead to it
  // first.
  std::vector<std::vector<std::size_t>> layers() const;
};

WorkflowView view_of(const std::string& name, const Json& spec);

}  // namespace convoke::plugin
