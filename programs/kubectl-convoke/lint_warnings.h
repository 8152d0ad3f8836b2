// What no API server refuses and no operator complains of, but somebody who knows Convoke would ask about.
//
// Pure, safe from every thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "controller/kube/json.h"
#include "reconcilers/workflow/definition.h"

namespace convoke::plugin {

struct Warning {
  std::string pointer;
  std::string message;
};

// Of one object, by itself. `definition` is that of a Workflow, or of a run that has one of its own.
std::vector<Warning> warnings_of(const Json& object, const workflow::Definition* definition);

// Of a Workflow, run or Task, beside the Agents of its namespace, which together have these capabilities:
// types that none of them can do.
std::vector<Warning> warnings_beside(const Json& object, const std::set<std::string>& capabilities);

}  // namespace convoke::plugin
