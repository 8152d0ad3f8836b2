// The assignment rules in force: those of the operator's configuration, and each Task's own.
//
// add_rules() gives a Requirement the rules that apply to a Task, with those values of the Task that they
// name: Tasks that are alike to the rules have the same key, and share a pool of agents. When the
// configuration changes, the revision does; what was required under another revision is out of date.
//
// Thread safety: all methods from every thread. Ownership: a RuleCheck owns all that it needs.
// Errors: a rule that does not compile refuses every agent and says why; the configuration and problems_of()
// do not let one come here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controller/base/live.h"
#include "reconcilers/api/task.h"
#include "reconcilers/expression/cel/program_cache.h"
#include "reconcilers/task/assignment_rule.h"
#include "reconcilers/task/rule_view.h"

namespace convoke::task {

struct Requirement;

// A rule costs at most this for one agent: some hundred times what a usual one needs. All agents of a
// namespace may be asked under the scheduler's lock.
inline constexpr cel::Limits kRuleLimits{5'000, std::uint64_t{64} * 1024};

// The rules that apply to Tasks that are alike to them. Immutable.
class RuleCheck {
 public:
  struct Rule {
    std::string name;  // "rule same-zone", "requires.rule"
    std::string message;
    cel::ProgramPtr program;  // null: it does not compile
    std::string problem;      // why
  };
  RuleCheck(std::vector<Rule> rules, const api::Task& task);

  // Why they refuse the agent, for people: the first rule that does; empty if all hold. `agent`:
  // agent_view().
  std::string objection(const Json& agent) const;
  // Equal for the same rules and the same values of the Task only, within one revision.
  const std::string& key() const { return key_; }
  const AgentPaths& agent_paths() const { return agent_paths_; }

 private:
  const std::vector<Rule> rules_;
  const AgentPaths agent_paths_;
  Json task_;
  std::string key_;
};

class RuleBook {
 public:
  RuleBook();

  // False if they are the same as before.
  bool set(std::vector<AssignmentRule> rules);
  std::uint64_t revision() const;
  void add_rules(const api::Task& task, Requirement& requirement) const;

 private:
  struct Page {
    std::uint64_t revision = 0;
    std::vector<AssignmentRule> rules;
  };
  RuleCheck::Rule compiled(const std::string& name, const std::string& message,
                           const std::string& expression) const;

  mutable cel::ProgramCache programs_;
  Live<std::shared_ptr<const Page>> page_;
};

}  // namespace convoke::task
