// Tolerant reading of objects that others wrote: a field that is absent or of another type counts as its
// empty value.
#pragma once

#include <cstdint>
#include <string>

#include "controller/kube/json.h"

namespace convoke::kube {

inline std::string string_at(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

inline bool bool_at(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

inline std::int64_t number_at(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

}  // namespace convoke::kube
