// The rules for metadata that hold for every kind. Pure.
#pragma once

#include <vector>

#include "controller/base/result.h"
#include "controller/kube/json.h"

namespace convoke::fakes {

// What is wrong with an object's name, labels, annotations and owners; empty if nothing.
std::vector<ErrorCause> metadata_problems(const Json& object);

// True if metadata, its labels and its annotations have the types that they can be decoded as.
bool is_decodable(const Json& object);

// Empty maps and lists count as absent, as they do once the server has decoded them.
void drop_empty_metadata(Json& object);

// Gives `object` the metadata that only the server may set, as `current` has it.
void keep_system_metadata(Json& object, const Json& current);

}  // namespace convoke::fakes
