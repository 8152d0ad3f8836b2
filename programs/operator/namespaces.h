// The namespaces that an operator watches, as its configuration names them: "team-a,team-b"; empty: all.
//
// Pure.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"

namespace convoke::programs {

// Error Invalid: a name that no namespace can have.
Status check_namespaces(const std::string& text);
// Each once; a single empty one stands for all.
std::vector<std::string> parse_namespaces(const std::string& text);

}  // namespace convoke::programs
