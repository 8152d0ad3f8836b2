// Hashing of object keys, for the hash maps of this folder. Pure, safe from every thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "controller/kube/object.h"

namespace convoke::runtime {

// The same for an ObjectKey and for the metadata of the object that it names.
inline std::size_t hash_key(std::string_view namespace_, std::string_view name) {
  const std::hash<std::string_view> hash;
  constexpr std::size_t kOddMultiplier = 0x9e3779b97f4a7c15U;  // keeps ("a", "b") and ("b", "a") apart
  return hash(namespace_) * kOddMultiplier + hash(name);
}

struct ObjectKeyHash {
  std::size_t operator()(const kube::ObjectKey& key) const { return hash_key(key.namespace_, key.name); }
};

}  // namespace convoke::runtime
