// What no API server refuses and no operator complains of, but somebody who knows Convoke would ask about.
//
// Pure, safe from every thread.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::plugin {

struct Warning {
  std::string pointer;
  std::string message;
};

// Of one object, by itself.
std::vector<Warning> warnings_of(const Json& object);

// Of a Workflow, run or Task, beside the Agents of the same manifests: types that none of them can do.
// Without Agents there is nothing to say.
std::vector<Warning> warnings_beside(const Json& object, const std::vector<const Json*>& agents);

}  // namespace convoke::plugin
