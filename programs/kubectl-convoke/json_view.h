// Reading of objects as the API server gives them: a plugin shows what it finds, also of a newer operator, so
// phases and fields are taken as they are. Pure, safe from every thread.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::plugin {

// What stands at a JSON pointer, or null.
const Json& value_at(const Json& object, const std::string& pointer);
// A string as it is, another value as JSON, what is absent or null as nothing.
std::string text_at(const Json& object, const std::string& pointer);
bool flag_at(const Json& object, const std::string& pointer);
std::int64_t number_at(const Json& object, const std::string& pointer, std::int64_t otherwise = 0);
// The strings of a list.
std::vector<std::string> texts_at(const Json& object, const std::string& pointer);
// The objects of a list.
std::vector<Json> objects_at(const Json& object, const std::string& pointer);

std::string name_of(const Json& object);
std::string uid_of(const Json& object);
// Whether an owner of the object has that uid.
bool is_owned_by(const Json& object, const std::string& uid);

// A string as it is, any other value as compact JSON.
std::string as_text(const Json& value);
// Its type, as a schema calls it.
std::string type_of(const Json& value);

}  // namespace convoke::plugin
