#include "controller/kube/object.h"

#include <charconv>

#include "controller/kube/json_fields.h"

namespace convoke::kube {
namespace {

const std::string kEmpty;

std::map<std::string, std::string> string_map_at(const Json& object, const char* field) {
  std::map<std::string, std::string> result;
  const auto found = object.find(field);
  if (found == object.end() || !found->is_object()) return result;
  for (const auto& [key, value] : found->items()) {
    if (value.is_string()) result.emplace(key, value.get<std::string>());
  }
  return result;
}

std::vector<std::string> strings_at(const Json& object, const char* field) {
  std::vector<std::string> result;
  const auto found = object.find(field);
  if (found == object.end() || !found->is_array()) return result;
  for (const auto& value : *found) {
    if (value.is_string()) result.push_back(value.get<std::string>());
  }
  return result;
}

std::vector<OwnerReference> owners_at(const Json& metadata) {
  std::vector<OwnerReference> result;
  const auto found = metadata.find("ownerReferences");
  if (found == metadata.end() || !found->is_array()) return result;
  for (const auto& owner : *found) {
    if (!owner.is_object()) continue;
    result.push_back({string_at(owner, "apiVersion"), string_at(owner, "kind"), string_at(owner, "name"),
                      string_at(owner, "uid"), bool_at(owner, "controller"),
                      bool_at(owner, "blockOwnerDeletion")});
  }
  return result;
}

Json owner_to_json(const OwnerReference& owner) {
  Json json = {
      {"apiVersion", owner.api_version}, {"kind", owner.kind}, {"name", owner.name}, {"uid", owner.uid}};
  if (owner.controller) json["controller"] = true;
  if (owner.block_owner_deletion) json["blockOwnerDeletion"] = true;
  return json;
}

void set_if(Json& json, const char* field, const std::string& value) {
  if (!value.empty()) json[field] = value;
}

}  // namespace

std::string ResourceType::api_version() const {
  return group.empty() ? version : group + "/" + version;
}

std::string ResourceType::path(const std::string& namespace_, const std::string& name,
                               const std::string& subresource) const {
  std::string path = (group.empty() ? "/api/" : "/apis/") + api_version();
  if (namespaced && !namespace_.empty()) path += "/namespaces/" + namespace_;
  path += "/" + plural;
  if (!name.empty()) path += "/" + name;
  if (!subresource.empty()) path += "/" + subresource;
  return path;
}

std::string ObjectKey::str() const {
  return namespace_.empty() ? name : namespace_ + "/" + name;
}

const OwnerReference* ObjectMeta::controller() const {
  for (const auto& owner : owner_references) {
    if (owner.controller) return &owner;
  }
  return nullptr;
}

const std::string& ObjectMeta::label(const std::string& label_name) const {
  const auto found = labels.find(label_name);
  return found == labels.end() ? kEmpty : found->second;
}

ObjectMeta meta_from_json(const Json& object) {
  ObjectMeta meta;
  const auto found = object.find("metadata");
  if (found == object.end() || !found->is_object()) return meta;
  const Json& json = *found;
  meta.namespace_ = string_at(json, "namespace");
  meta.name = string_at(json, "name");
  meta.uid = string_at(json, "uid");
  meta.resource_version = string_at(json, "resourceVersion");
  meta.generation = number_at(json, "generation");
  meta.creation_timestamp = string_at(json, "creationTimestamp");
  meta.deletion_timestamp = string_at(json, "deletionTimestamp");
  meta.labels = string_map_at(json, "labels");
  meta.annotations = string_map_at(json, "annotations");
  meta.owner_references = owners_at(json);
  meta.finalizers = strings_at(json, "finalizers");
  return meta;
}

Json meta_to_json(const ObjectMeta& meta) {
  Json json = Json::object();
  set_if(json, "namespace", meta.namespace_);
  set_if(json, "name", meta.name);
  set_if(json, "uid", meta.uid);
  set_if(json, "resourceVersion", meta.resource_version);
  if (meta.generation != 0) json["generation"] = meta.generation;
  set_if(json, "creationTimestamp", meta.creation_timestamp);
  set_if(json, "deletionTimestamp", meta.deletion_timestamp);
  if (!meta.labels.empty()) json["labels"] = meta.labels;
  if (!meta.annotations.empty()) json["annotations"] = meta.annotations;
  for (const auto& owner : meta.owner_references) json["ownerReferences"].push_back(owner_to_json(owner));
  if (!meta.finalizers.empty()) json["finalizers"] = meta.finalizers;
  return json;
}

std::uint64_t resource_version_number(const std::string& resource_version) {
  std::uint64_t number = 0;
  const char* end = resource_version.data() + resource_version.size();
  const auto [stopped_at, error] = std::from_chars(resource_version.data(), end, number);
  return error == std::errc() && stopped_at == end ? number : 0;
}

}  // namespace convoke::kube
