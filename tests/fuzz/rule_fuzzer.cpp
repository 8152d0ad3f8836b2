// A rule for assignments, as people write it into Tasks and into the configuration.

#include <optional>

#include "reconcilers/task/demand.h"
#include "reconcilers/task/rule_book.h"
#include "reconcilers/task/rule_view.h"
#include "tests/fuzz/check.h"

namespace {

using namespace convoke;

api::Agent some_agent() {
  api::Agent agent;
  agent.meta.name = "builder-1";
  agent.meta.labels = {{"zone", "a"}};
  agent.spec.capabilities = {"compile", "gpu"};
  agent.status.statistics = {{"compile", 12, 0.95, std::chrono::seconds(3), std::chrono::seconds(9)}};
  return agent;
}

api::Task some_task(const std::string& rule) {
  api::Task task;
  task.meta.name = "task-1";
  task.meta.namespace_ = "default";
  task.spec.type = "compile";
  task.spec.requires_.rule = rule;
  task.spec.parameters = R"({"zone":"a","files":["a.c","b.c"],"deep":{"er":{"est":1}}})";
  return task;
}

// What a rule says about an agent must be the same whether it sees all of the Task or only what it names.
// Nothing if it costs too much, which depends on how much it sees.
std::optional<bool> refuses_with_everything(const std::string& rule, const Json& seen) {
  const api::Task whole = some_task(rule);
  const auto program = *task::compile_rule(rule);
  const Json all = task::task_view(whole, {{{"task"}, 0}});
  cel::Variables variables;
  variables.set("agent", seen);
  variables.set("task", all);
  const auto holds = program->evaluate_bool(variables, task::kRuleLimits);
  if (!holds && holds.error().reason == cel::kTooExpensive) return std::nullopt;
  return !holds || !*holds;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string rule(fuzz::as_text(data, size));
  const auto program = task::compile_rule(rule);
  if (!program) {
    fuzz::check(program.error().message.find('\n') == std::string::npos, "a mistake is one line");
    return 0;
  }
  if (rule.empty()) return 0;
  static task::RuleBook book;
  task::Requirement requirement;
  book.add_rules(some_task(rule), requirement);
  const Json seen = task::agent_view(some_agent());
  const std::string objection = requirement.rules->objection(seen);
  fuzz::check(objection.size() <= 400 && objection.find('\n') == std::string::npos,
              "a reason is one short line");
  fuzz::check(requirement.key().size() < rule.size() + 4096, "the key holds no more than the Task");
  const auto expected = refuses_with_everything(rule, seen);
  fuzz::check(!expected || *expected != objection.empty(), "what a rule does not name does not matter");
  return 0;
}
