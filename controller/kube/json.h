// The JSON document type of the house. Include this rather than <nlohmann/json.hpp> where values are handled.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "controller/base/result.h"

namespace convoke {

using Json = nlohmann::json;

// Parses without exceptions. Error Invalid says at which byte and why. Nesting deeper than 200 levels is
// refused.
Result<Json> parse_json(std::string_view text);
// Compact text; bytes that are not UTF-8 are replaced, never thrown over.
std::string dump_json(const Json& value);

}  // namespace convoke
