// Whose an object is: of convoke.dev, of another group, or of one that was mistyped.
//
// Pure, safe from every thread.
#pragma once

#include <string>

#include "controller/kube/json.h"

namespace convoke::plugin {

std::string our_api_version();  // "convoke.dev/v1alpha1"
bool is_ours(const Json& object);
// Whether it is not, but was meant to be: a group that is nearly ours, or one of our kinds without a group.
// A Workflow of argoproj.io is something else.
bool is_meant_to_be_ours(const Json& object);

}  // namespace convoke::plugin
