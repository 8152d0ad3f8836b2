// What rules read of an object as it stands in the API.
#pragma once

#include <string>

#include "controller/kube/json.h"

namespace convoke::simulation {

// "" where there is nothing.
inline std::string text_at(const Json& object, const char* path) {
  return object.value(Json::json_pointer(path), "");
}

// Of a Task or a WorkflowRun.
inline bool has_ended(const std::string& phase) {
  return phase == "Succeeded" || phase == "Failed" || phase == "Cancelled" || phase == "Compensated";
}

}  // namespace convoke::simulation
