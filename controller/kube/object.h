// What every Kubernetes object has: its type, its key and its metadata.
//
// Plain values, no thread safety of their own.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::kube {

// A kind as the API server serves it: {"convoke.dev", "v1alpha1", "tasks", "Task"}.
struct ResourceType {
  std::string group;  // empty for core
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = true;

  std::string api_version() const;  // "convoke.dev/v1alpha1", "v1"
  // "/apis/convoke.dev/v1alpha1/namespaces/ns/tasks[/name[/subresource]]"; an empty namespace means all of
  // them.
  std::string path(const std::string& namespace_, const std::string& name = "",
                   const std::string& subresource = "") const;
  auto operator<=>(const ResourceType&) const = default;
};

struct ObjectKey {
  std::string namespace_;
  std::string name;

  std::string str() const;  // "namespace/name"
  auto operator<=>(const ObjectKey&) const = default;
};

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
  bool block_owner_deletion = false;
  bool operator==(const OwnerReference&) const = default;
};

// metav1.ObjectMeta without managedFields. Times stay as the API wrote them (RFC 3339).
struct ObjectMeta {
  std::string namespace_;
  std::string name;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  std::string creation_timestamp;
  std::string deletion_timestamp;  // empty unless the object is being deleted
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<OwnerReference> owner_references;
  std::vector<std::string> finalizers;

  ObjectKey key() const { return {namespace_, name}; }
  bool being_deleted() const { return !deletion_timestamp.empty(); }
  // The owner that is marked as controller, if any.
  const OwnerReference* controller() const;
  // Empty if there is no such label.
  const std::string& label(const std::string& name) const;
};

// Tolerant: a field of the wrong type counts as absent (the API server does not let such metadata in).
ObjectMeta meta_from_json(const Json& object);
// {"name":..., "namespace":..., ...}: only what is set.
Json meta_to_json(const ObjectMeta& meta);

// resourceVersions of one resource, as numbers that grow (guaranteed from Kubernetes 1.35, true of etcd
// before); 0 if it is not a number.
std::uint64_t resource_version_number(const std::string& resource_version);

// Names a object for Events, logs and messages.
struct ObjectReference {
  ResourceType type;
  std::string namespace_;
  std::string name;
  std::string uid;
  std::string resource_version;
};

}  // namespace convoke::kube
