#include "tests/fakes/api_metadata.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

#include "controller/kube/object.h"

namespace convoke::fakes {
namespace {

constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxLabelBytes = 63;
constexpr std::size_t kMaxAnnotationBytes = 256 * 1024;

bool is_lower_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_alphanumeric(char c) {
  return is_lower_alphanumeric(c) || (c >= 'A' && c <= 'Z');
}

bool is_subdomain(std::string_view name) {
  const auto is_allowed = [](char c) { return is_lower_alphanumeric(c) || c == '-' || c == '.'; };
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, is_allowed) &&
         is_lower_alphanumeric(name.front()) && is_lower_alphanumeric(name.back()) &&
         name.find("..") == std::string_view::npos && name.find(".-") == std::string_view::npos &&
         name.find("-.") == std::string_view::npos;
}

bool is_label_part(std::string_view part) {
  const auto is_allowed = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; };
  return !part.empty() && part.size() <= kMaxLabelBytes && std::ranges::all_of(part, is_allowed) &&
         is_alphanumeric(part.front()) && is_alphanumeric(part.back());
}

bool is_label_key(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == std::string_view::npos) {
    return is_label_part(key);
  }
  return is_subdomain(key.substr(0, slash)) && is_label_part(key.substr(slash + 1));
}

bool is_string_map(const Json& metadata, const char* field) {
  if (!metadata.contains(field) || metadata[field].is_null()) {
    return true;
  }
  const Json& map = metadata[field];
  return map.is_object() && std::ranges::all_of(map, [](const Json& value) { return value.is_string(); });
}

ErrorCause invalid_value(const std::string& field, const std::string& value, const std::string& rule) {
  return {field, "Invalid value: \"" + value + "\": " + rule, "FieldValueInvalid"};
}

void check_labels(const kube::ObjectMeta& meta, std::vector<ErrorCause>& problems) {
  for (const auto& [key, value] : meta.labels) {
    if (!is_label_key(key)) {
      problems.push_back(
          invalid_value("metadata.labels", key,
                        "name part must consist of alphanumeric characters, '-', '_' or '.', and "
                        "must be no more than 63 characters"));
    }
    if (!value.empty() && !is_label_part(value)) {
      problems.push_back(
          invalid_value("metadata.labels", value,
                        "a valid label must be an empty string or consist of alphanumeric "
                        "characters, '-', '_' or '.', and must be no more than 63 characters"));
    }
  }
}

void check_annotations(const kube::ObjectMeta& meta, std::vector<ErrorCause>& problems) {
  std::size_t size = 0;
  for (const auto& [key, value] : meta.annotations) {
    size += key.size() + value.size();
  }
  if (size > kMaxAnnotationBytes) {
    problems.push_back({"metadata.annotations",
                        "Too long: may not be more than " + std::to_string(kMaxAnnotationBytes) + " bytes",
                        "FieldValueTooLong"});
  }
}

void check_owners(const kube::ObjectMeta& meta, std::vector<ErrorCause>& problems) {
  int controllers = 0;
  for (const auto& owner : meta.owner_references) {
    controllers += owner.controller ? 1 : 0;
    if (owner.uid.empty() || owner.name.empty() || owner.kind.empty() || owner.api_version.empty()) {
      problems.push_back(invalid_value("metadata.ownerReferences", owner.name,
                                       "apiVersion, kind, name and uid must not be empty"));
    }
  }
  if (controllers > 1) {
    problems.push_back(invalid_value("metadata.ownerReferences", meta.name,
                                     "Only one reference can have Controller set to true"));
  }
}

}  // namespace

std::vector<ErrorCause> metadata_problems(const Json& object) {
  std::vector<ErrorCause> problems;
  const kube::ObjectMeta meta = kube::meta_from_json(object);
  if (meta.name.empty()) {
    problems.push_back(
        {"metadata.name", "Required value: name or generateName is required", "FieldValueRequired"});
  } else if (!is_subdomain(meta.name)) {
    problems.push_back(invalid_value("metadata.name", meta.name,
                                     "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                                     "characters, '-' or '.', and must start and end with an alphanumeric "
                                     "character"));
  }
  check_labels(meta, problems);
  check_annotations(meta, problems);
  check_owners(meta, problems);
  return problems;
}

bool is_decodable(const Json& object) {
  if (!object.is_object() || !object.contains("metadata")) {
    return object.is_object();
  }
  const Json& metadata = object["metadata"];
  return metadata.is_object() && is_string_map(metadata, "labels") && is_string_map(metadata, "annotations");
}

void drop_empty_metadata(Json& object) {
  Json& metadata = object["metadata"];
  for (const char* field : {"labels", "annotations", "finalizers", "ownerReferences", "generateName"}) {
    if (metadata.contains(field) && (metadata[field].empty() || metadata[field] == "")) {
      metadata.erase(field);
    }
  }
}

void keep_system_metadata(Json& object, const Json& current) {
  static constexpr std::array kFields = {"uid",        "resourceVersion",   "creationTimestamp",
                                         "generation", "deletionTimestamp", "deletionGracePeriodSeconds",
                                         "namespace",  "managedFields"};
  Json& metadata = object["metadata"];
  const Json& current_metadata = current["metadata"];
  for (const char* field : kFields) {
    metadata.erase(field);
    if (current_metadata.contains(field)) {
      metadata[field] = current_metadata[field];
    }
  }
}

}  // namespace convoke::fakes
