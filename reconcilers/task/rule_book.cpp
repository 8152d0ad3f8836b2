#include "reconcilers/task/rule_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "reconcilers/task/demand.h"

namespace convoke::task {
namespace {

constexpr char kOwnRule[] = "requires.rule";
constexpr std::size_t kMaxObjectionBytes = 400;

bool applies(const AssignmentRule& rule, const std::string& namespace_) {
  return rule.namespaces.empty() ||
         std::find(rule.namespaces.begin(), rule.namespaces.end(), namespace_) != rule.namespaces.end();
}

std::vector<cel::Reference> references_of(const std::vector<RuleCheck::Rule>& rules) {
  std::vector<cel::Reference> references;
  for (const RuleCheck::Rule& rule : rules) {
    if (rule.program != nullptr) {
      const auto& more = rule.program->references();
      std::copy(more.begin(), more.end(), std::back_inserter(references));
    }
  }
  return references;
}

std::string objection_of(const RuleCheck::Rule& rule, const cel::Variables& variables) {
  if (rule.program == nullptr) {
    return rule.name + " does not compile: " + rule.problem;
  }
  const Result<bool> holds = rule.program->evaluate_bool(variables, kRuleLimits);
  if (!holds) {
    return rule.name + " cannot be evaluated: " + first_line(holds.error().message);
  }
  if (*holds) {
    return "";
  }
  return rule.message.empty() ? rule.name + " does not hold" : rule.name + ": " + rule.message;
}

}  // namespace

RuleCheck::RuleCheck(std::vector<Rule> rules, const api::Task& task)
    : rules_(std::move(rules)),
      agent_paths_(task::agent_paths(references_of(rules_))),
      task_(task_view(task, references_of(rules_))) {
  // The configuration's rules are told apart by the revision.
  if (!rules_.empty() && rules_.back().name == kOwnRule) {
    const std::string source = rules_.back().program != nullptr ? rules_.back().program->source() : "";
    key_ = std::to_string(source.size()) + ":" + source;
  }
  key_ += task_.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string RuleCheck::objection(const Json& agent) const {
  cel::Variables variables;
  variables.set("agent", agent);
  variables.set("task", task_);
  for (const Rule& rule : rules_) {
    const std::string objection = objection_of(rule, variables);
    if (!objection.empty()) {
      return api::cut_text(objection, kMaxObjectionBytes);
    }
  }
  return "";
}

RuleBook::RuleBook() : page_(std::make_shared<const Page>()) {}

bool RuleBook::set(std::vector<AssignmentRule> rules) {
  const auto before = page_.get();
  if (before->rules == rules) {
    return false;
  }
  page_.set(std::make_shared<const Page>(Page{before->revision + 1, std::move(rules)}));
  return true;
}

std::uint64_t RuleBook::revision() const {
  return page_.get()->revision;
}

void RuleBook::add_rules(const api::Task& task, Requirement& requirement) const {
  const auto page = page_.get();
  std::vector<RuleCheck::Rule> rules;
  for (const AssignmentRule& rule : page->rules) {
    if (applies(rule, task.meta.namespace_)) {
      rules.push_back(compiled("rule " + rule.name, rule.message, rule.expression));
    }
  }
  if (!task.spec.requires_.rule.empty()) {
    rules.push_back(compiled(kOwnRule, "", task.spec.requires_.rule));
  }
  requirement.rules_revision = page->revision;
  requirement.rules = rules.empty() ? nullptr : std::make_shared<const RuleCheck>(std::move(rules), task);
}

RuleCheck::Rule RuleBook::compiled(const std::string& name, const std::string& message,
                                   const std::string& expression) const {
  const auto program = compile_rule(expression, &programs_);
  return {name, message, program ? *program : nullptr, program ? "" : program.error().message};
}

}  // namespace convoke::task
