// The parameters of a run: given values over the definition's defaults, checked.
//
// Pure; safe from every thread. Errors: Invalid; the message names each parameter and what was expected.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/json.h"
#include "reconcilers/api/workflow.h"

namespace convoke::workflow {

// What is wrong with `value` for this parameter ("expected a Number, got a string"); empty if nothing is.
std::string check_value(const api::Parameter& parameter, const Json& value);

// True if a run can start without being given this parameter.
inline bool needs_no_value(const api::Parameter& parameter) {
  return !parameter.required || !parameter.default_value.empty();
}

// An object with every given and every defaulted parameter. A parameter that is neither given nor defaulted
// is absent.
Result<Json> resolve_parameters(const std::vector<api::Parameter>& parameters, const api::RawJson& given);

}  // namespace convoke::workflow
