// assignment.rules: the one key whose value is a list. As text it is JSON, and in the file YAML of the same
// form:
//
//   - name: same-zone
//     namespaces: [team-a]        # empty or absent: all
//     expression: agent.metadata.labels['zone'] == task.spec.parameters.zone
//     message: must be in the task's zone
#pragma once

#include <string>
#include <vector>

#include "programs/operator/setting.h"
#include "reconcilers/task/assignment_rule.h"

namespace convoke::programs {

inline constexpr std::size_t kMaxRules = 100;

// Errors of the text begin with the rule, counted from 0, one a line: "[2].expression: line 1, column 5:
// ...".
Setting rules_setting(std::string path, std::string help, std::vector<task::AssignmentRule>& value);

}  // namespace convoke::programs
