#include "programs/kubectl-convoke/operator_check.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "controller/base/result.h"
#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/spec_problems.h"
#include "reconcilers/expression/placeholder.h"
#include "reconcilers/task/assignment_rule.h"
#include "reconcilers/workflow/trigger_check.h"

namespace convoke::plugin {
namespace {

bool ends_with_any(std::string_view field, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return field.ends_with(end); });
}

// Whether what was read of the spec has the same steps and order as if that field were right: then the rest
// of the definition can be checked all the same.
bool is_harmless(const std::string& problem) {
  const auto field = problem.substr(0, problem.find(": "));
  return field.find(".retry") != std::string::npos || field.find(".triggers") != std::string::npos ||
         field.find(".historyLimits") != std::string::npos ||
         ends_with_any(field,
                       {".timeout", ".deadline", ".priority", ".parallelism", ".suspend", ".description",
                        ".maxTransitions", ".maxIterations", ".delay", ".onTimeout", ".title"});
}

void check_rules(const Json& spec, const std::string& path, std::vector<std::string>& problems) {
  for (const char* part : {"steps", "finally"}) {
    const auto steps = objects_at(spec, std::string("/") + part);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto name = text_at(steps[i], "/name");
      const std::string field = path + "." + part + "[" + (name.empty() ? std::to_string(i) : name) + "]";
      for (const char* task : {"task", "compensate"}) {
        const Json& rule = value_at(steps[i], std::string("/") + task + "/requires/rule");
        const bool known = rule.is_string() && !rule.get_ref<const std::string&>().empty() &&
                           !expression::has_placeholder(rule.get_ref<const std::string&>());
        if (!known) continue;
        if (const auto compiled = task::compile_rule(rule.get<std::string>()); !compiled)
          problems.push_back(field + "." + task + ".requires.rule: " + compiled.error().message);
      }
    }
  }
}

}  // namespace

OperatorCheck check_as_operator(const Json& spec, const std::string& path, Triggers triggers) {
  OperatorCheck check;
  std::vector<std::string> malformed;
  const auto parsed = api::workflow_spec_from_json(spec, path, malformed);
  check.problems = api::spec_problems(malformed);
  if (std::all_of(check.problems.begin(), check.problems.end(), is_harmless)) {
    const bool complete = check.problems.empty();
    auto definition = workflow::check_definition(parsed, path);
    if (!definition) {
      check.problems.push_back(definition.error().message);
    } else if (complete) {
      check.definition = std::move(*definition);
    }
  }
  const bool triggers_read = std::none_of(
      check.problems.begin(), check.problems.end(),
      [&](const std::string& problem) { return problem.find(path + ".triggers") != std::string::npos; });
  if (triggers == Triggers::Checked && triggers_read) {
    if (const auto status = workflow::check_triggers(parsed, path); !status)
      check.problems.push_back(status.error().message);
  }
  check_rules(spec, path, check.problems);
  return check;
}

}  // namespace convoke::plugin
