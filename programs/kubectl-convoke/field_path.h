// The two ways to say where something stands in an object: JSON pointers ("/spec/steps/0/name"), and fields
// as the operator writes them for people ("spec.steps[build].name").
//
// Pure, safe from every thread.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::plugin {

// A key as one token of a JSON pointer.
std::string escaped_token(std::string key);

// For people: an item of a list has its name where it has one that no other item has.
std::string field_of(const Json& object, const std::string& pointer);
// The JSON pointer of what is there of a field; that of the first item where several have the name.
std::string pointer_of(const Json& object, const std::string& field);
// Of each of the items that have the name.
std::vector<std::string> pointers_of(const Json& object, const std::string& field);

}  // namespace convoke::plugin
