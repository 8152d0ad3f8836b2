// The API server's rules for writes: conflicts, the isolation of /status, generation, finalizers,
// preconditions, and writes that change nothing. Not thread-safe: the server's mutex guards the storage.
#pragma once

#include <string>

#include "tests/fakes/api_failure.h"
#include "tests/fakes/api_storage.h"

namespace convoke::fakes {

inline constexpr const char* kForegroundFinalizer = "foregroundDeletion";
inline constexpr const char* kOrphanFinalizer = "orphan";

// Who writes, for managedFields and for a type's own review.
struct Writer {
  std::string client;
  std::string field_manager = {};
  bool applies = false;
};

struct DeletePreconditions {
  std::string uid = {};
  std::string resource_version = {};
  std::string propagation = {};  // Background, Foreground or Orphan
};

struct Deletion {
  ObjectPtr object;
  bool is_gone = false;  // false: finalizers hold it
};

Answer<ObjectPtr> create_object(ApiStorage& storage, Table& table, const std::string& namespace_, Json object,
                                const Writer& writer);

// `wanted` takes the place of `current`, as far as the subresource ("status" or empty) allows.
Answer<ObjectPtr> replace_object(ApiStorage& storage, Table& table, const ObjectPtr& current, Json wanted,
                                 const std::string& subresource, const Writer& writer);

Answer<Deletion> delete_object(ApiStorage& storage, Table& table, const kube::ObjectKey& key,
                               const DeletePreconditions& preconditions, const Writer& writer);

}  // namespace convoke::fakes
