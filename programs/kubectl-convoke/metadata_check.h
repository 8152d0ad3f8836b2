// What the API server would say of an object's metadata, which is alike for all kinds and no part of a CRD.
//
// Pure, safe from every thread.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::plugin {

struct MetadataProblem {
  std::string pointer;  // "/metadata/labels/app"
  std::string message;
};

std::vector<MetadataProblem> check_metadata(const Json& object);

}  // namespace convoke::plugin
