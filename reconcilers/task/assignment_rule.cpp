#include "reconcilers/task/assignment_rule.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "reconcilers/expression/cel/source.h"
#include "reconcilers/task/rule_view.h"

namespace convoke::task {
namespace {

using Path = std::vector<std::string>;

constexpr std::array<std::string_view, 4> kMetadata{"name", "namespace", "labels", "annotations"};

template <class Names>
std::string unknown_in(const Names& known, const std::string& field, const std::string& parent) {
  if (std::find(known.begin(), known.end(), field) != known.end()) {
    return "";
  }
  std::string list;
  for (const std::string_view name : known) {
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  return "rules know no " + parent + "." + field + ", only " + list;
}

// What is wrong with naming this in a rule; empty if nothing is.
std::string problem_of(const Path& path) {
  const std::string& object = path[0];
  if (object != "agent" && object != "task") {
    return "there is no name \"" + object + "\" in a rule, only agent and task";
  }
  if (path.size() == 1) {
    return "";
  }
  const bool has_status = object == "agent";
  const bool is_status = has_status && path[1] == "status";
  if (path[1] != "metadata" && path[1] != "spec" && !is_status) {
    return "rules know no " + object + "." + path[1] + ", only metadata" +
           (has_status ? ", spec and status" : " and spec");
  }
  const bool is_spec = path[1] == "spec";
  if (path.size() == 2 || (is_spec && object == "task")) {
    return "";
  }
  const std::string parent = object + "." + path[1];
  if (is_spec) {
    return unknown_in(kAgentSpecOfRules, path[2], parent);
  }
  return is_status ? unknown_in(kAgentStatusOfRules, path[2], parent)
                   : unknown_in(kMetadata, path[2], parent);
}

}  // namespace

void add_rule_problem(const api::TaskSpec& spec, const std::string& path,
                      std::vector<std::string>& problems) {
  const std::string& rule = spec.requires_.rule;
  if (rule.empty()) {
    return;
  }
  if (const auto compiled = compile_rule(rule); !compiled) {
    problems.push_back(path + ".requires.rule: " + compiled.error().message);
  }
}

std::string first_line(const std::string& message) {
  return message.substr(0, message.find('\n'));
}

Result<cel::ProgramPtr> compile_rule(const std::string& expression, cel::ProgramCache* programs) {
  const auto program = programs != nullptr ? programs->get(expression) : cel::Program::compile(expression);
  if (!program) {
    return Error{ErrorCode::Invalid, first_line(program.error().message), program.error().reason};
  }
  for (const cel::Reference& reference : (*program)->references()) {
    const std::string problem = problem_of(reference.path);
    if (!problem.empty()) {
      const Error error = cel::error_at(expression, reference.offset, problem, cel::kInvalidExpression);
      return Error{ErrorCode::Invalid, first_line(error.message), error.reason};
    }
  }
  return *program;
}

}  // namespace convoke::task
