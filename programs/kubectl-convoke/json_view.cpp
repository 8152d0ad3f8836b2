#include "programs/kubectl-convoke/json_view.h"

#include <algorithm>

namespace convoke::plugin {

const Json& value_at(const Json& object, const std::string& pointer) {
  static const Json kNothing;
  const Json::json_pointer path(pointer);
  return object.contains(path) ? object.at(path) : kNothing;
}

std::string text_at(const Json& object, const std::string& pointer) {
  const Json& value = value_at(object, pointer);
  return value.is_null() ? "" : as_text(value);
}

bool flag_at(const Json& object, const std::string& pointer) {
  const Json& value = value_at(object, pointer);
  return value.is_boolean() && value.get<bool>();
}

std::int64_t number_at(const Json& object, const std::string& pointer, std::int64_t otherwise) {
  const Json& value = value_at(object, pointer);
  return value.is_number_integer() ? value.get<std::int64_t>() : otherwise;
}

std::vector<std::string> texts_at(const Json& object, const std::string& pointer) {
  std::vector<std::string> texts;
  const Json& list = value_at(object, pointer);
  if (!list.is_array()) return texts;
  for (const auto& item : list) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::vector<Json> objects_at(const Json& object, const std::string& pointer) {
  std::vector<Json> objects;
  const Json& list = value_at(object, pointer);
  if (!list.is_array()) return objects;
  std::copy_if(list.begin(), list.end(), std::back_inserter(objects),
               [](const Json& item) { return item.is_object(); });
  return objects;
}

std::string name_of(const Json& object) {
  return text_at(object, "/metadata/name");
}

std::string uid_of(const Json& object) {
  return text_at(object, "/metadata/uid");
}

bool is_owned_by(const Json& object, const std::string& uid) {
  const auto owners = objects_at(object, "/metadata/ownerReferences");
  return std::any_of(owners.begin(), owners.end(),
                     [&](const Json& owner) { return text_at(owner, "/uid") == uid; });
}

std::string as_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

std::string type_of(const Json& value) {
  return value.is_number_integer() ? "integer" : value.type_name();
}

}  // namespace convoke::plugin
