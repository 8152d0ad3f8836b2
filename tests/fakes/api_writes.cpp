#include "tests/fakes/api_writes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controller/base/time_format.h"
#include "tests/fakes/api_metadata.h"

namespace convoke::fakes {
namespace {

constexpr std::size_t kMaxGeneratedBase = 58;
constexpr std::size_t kMaxObjectBytes = 3 * 512 * 1024;  // what etcd takes

bool is_too_large(const Json& object) {
  return dump_json(object).size() > kMaxObjectBytes;
}

std::optional<ApiFailure> check_identity(const Table& table, const Json& object) {
  if (!is_decodable(object)) {
    return bad_request(table.type.kind + " in version \"" + table.type.version +
                       "\" cannot be handled: metadata is not of the right types");
  }
  const auto differs = [&](const char* field, const std::string& expected) {
    return object.contains(field) && object[field] != expected;
  };
  if (differs("kind", table.type.kind) || differs("apiVersion", table.type.api_version())) {
    return bad_request("the object's apiVersion and kind do not match the expected \"" +
                       table.type.api_version() + "\", \"" + table.type.kind + "\"");
  }
  return std::nullopt;
}

std::optional<ApiFailure> review(const Table& table, const Writer& writer, const std::string& operation,
                                 const std::string& subresource, const Json* before, const Json& after) {
  if (!table.options.review) {
    return std::nullopt;
  }
  const auto verdict =
      table.options.review({writer.client, writer.field_manager, operation, subresource, before, after});
  if (verdict) {
    return std::nullopt;
  }
  const std::string name = kube::meta_from_json(after).name;
  const Error& error = verdict.error();
  if (error.code != ErrorCode::Invalid) {
    return forbidden(table.type, name, error.message);
  }
  if (error.causes.empty()) {
    return invalid(table.type, name, {{"<nil>", error.message, "FieldValueInvalid"}});
  }
  return invalid(table.type, name, error.causes);
}

// managedFields without the fields: who wrote, and how.
void note_manager(Json& object, const Table& table, const Writer& writer) {
  if (writer.field_manager.empty()) {
    return;
  }
  const Json entry = {{"manager", writer.field_manager},
                      {"operation", writer.applies ? "Apply" : "Update"},
                      {"apiVersion", table.type.api_version()},
                      {"fieldsType", "FieldsV1"},
                      {"fieldsV1", Json::object()}};
  Json& managers = object["metadata"]["managedFields"];
  if (managers.is_null() || std::ranges::find(managers, entry) == managers.end()) {
    managers.push_back(entry);
  }
}

// The object without what does not count as a change of its spec.
Json without_metadata_and_status(Json object) {
  object.erase("metadata");
  object.erase("status");
  return object;
}

bool spec_differs(const Json& a, const Json& b) {
  return without_metadata_and_status(a) != without_metadata_and_status(b);
}

std::optional<ApiFailure> check_versions(const Table& table, const Json& current, const Json& wanted) {
  const auto now = kube::meta_from_json(current);
  const auto then = kube::meta_from_json(wanted);
  if (!then.uid.empty() && then.uid != now.uid) {
    return conflict(
        table.type, now.name,
        "Precondition failed: UID in precondition: " + then.uid + ", UID in object meta: " + now.uid);
  }
  if (!then.resource_version.empty() && then.resource_version != now.resource_version) {
    return modified(table.type, now.name);
  }
  return std::nullopt;
}

Json merged_for_main_resource(const Table& table, const Json& current, Json wanted) {
  keep_system_metadata(wanted, current);
  drop_empty_metadata(wanted);
  if (table.options.has_status) {
    wanted.erase("status");
    if (current.contains("status")) {
      wanted["status"] = current["status"];
    }
  }
  wanted["apiVersion"] = table.type.api_version();
  wanted["kind"] = table.type.kind;
  return wanted;
}

Json merged_for_status(const Json& current, const Json& wanted) {
  Json merged = current;
  merged.erase("status");
  if (wanted.contains("status")) {
    merged["status"] = wanted["status"];
  }
  return merged;
}

std::optional<ApiFailure> check_replacement(const Table& table, const Json& current, const Json& next) {
  auto problems = metadata_problems(next);
  const auto before = kube::meta_from_json(current);
  const auto after = kube::meta_from_json(next);
  if (before.name != after.name) {
    problems.push_back(
        {"metadata.name", "Invalid value: \"" + after.name + "\": field is immutable", "FieldValueInvalid"});
  }
  const auto is_new = [&](const std::string& finalizer) {
    return std::ranges::find(before.finalizers, finalizer) == before.finalizers.end();
  };
  if (before.being_deleted() && std::ranges::any_of(after.finalizers, is_new)) {
    problems.push_back({"metadata.finalizers",
                        "Forbidden: no new finalizers can be added if the object is being deleted",
                        "FieldValueForbidden"});
  }
  if (!problems.empty()) {
    return invalid(table.type, before.name, problems);
  }
  return std::nullopt;
}

void set_system_metadata(ApiStorage& storage, const Table& table, const std::string& namespace_,
                         Json& object) {
  Json& metadata = object["metadata"];
  for (const char* field :
       {"deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields"}) {
    metadata.erase(field);
  }
  if (table.type.namespaced) {
    metadata["namespace"] = namespace_;
  }
  const auto meta = kube::meta_from_json(object);
  if (meta.name.empty() && metadata.contains("generateName") && metadata["generateName"].is_string()) {
    const auto base = metadata["generateName"].get<std::string>().substr(0, kMaxGeneratedBase);
    metadata["name"] = base + storage.new_name_suffix();
  }
  metadata["uid"] = storage.new_uid();
  metadata["creationTimestamp"] = format_time(storage.now());
  if (table.options.counts_generation) {
    metadata["generation"] = 1;
  }
}

std::optional<ApiFailure> check_new_object(const Table& table, const std::string& namespace_,
                                           const Json& object) {
  if (auto failure = check_identity(table, object)) {
    return failure;
  }
  const auto meta = kube::meta_from_json(object);
  if (!meta.resource_version.empty()) {
    return ApiFailure{500, "", "resourceVersion should not be set on objects to be created"};
  }
  if (table.type.namespaced && !meta.namespace_.empty() && meta.namespace_ != namespace_) {
    return bad_request(
        "the namespace of the provided object does not match the namespace sent on the request");
  }
  return std::nullopt;
}

std::optional<ApiFailure> check_preconditions(const Table& table, const kube::ObjectMeta& meta,
                                              const DeletePreconditions& preconditions) {
  if (!preconditions.uid.empty() && preconditions.uid != meta.uid) {
    return conflict(table.type, meta.name,
                    "Precondition failed: UID in precondition: " + preconditions.uid +
                        ", UID in object meta: " + meta.uid);
  }
  if (!preconditions.resource_version.empty() && preconditions.resource_version != meta.resource_version) {
    return conflict(table.type, meta.name,
                    "the ResourceVersion in the precondition (" + preconditions.resource_version +
                        ") does not match the ResourceVersion in record (" + meta.resource_version +
                        "). The object might have been modified");
  }
  return std::nullopt;
}

void add_propagation_finalizer(Json& object, const std::string& propagation) {
  const char* finalizer = propagation == "Foreground" ? kForegroundFinalizer
                          : propagation == "Orphan"   ? kOrphanFinalizer
                                                      : nullptr;
  if (finalizer == nullptr) {
    return;
  }
  Json& finalizers = object["metadata"]["finalizers"];
  if (std::ranges::find(finalizers, finalizer) == finalizers.end()) {
    finalizers.push_back(finalizer);
  }
}

Json marked_as_deleted(ApiStorage& storage, Json object) {
  Json& metadata = object["metadata"];
  metadata["deletionTimestamp"] = format_time(storage.now());
  metadata["deletionGracePeriodSeconds"] = 0;
  if (metadata.contains("generation")) {
    metadata["generation"] = metadata["generation"].get<std::int64_t>() + 1;
  }
  return object;
}

}  // namespace

Answer<ObjectPtr> create_object(ApiStorage& storage, Table& table, const std::string& namespace_, Json object,
                                const Writer& writer) {
  if (auto failure = check_new_object(table, namespace_, object)) {
    return tl::unexpected(*failure);
  }
  object["apiVersion"] = table.type.api_version();
  object["kind"] = table.type.kind;
  if (table.options.has_status) {
    object.erase("status");
  }
  if (table.options.set_defaults) {
    table.options.set_defaults(object);
  }
  set_system_metadata(storage, table, namespace_, object);
  drop_empty_metadata(object);
  const kube::ObjectKey key = kube::meta_from_json(object).key();
  if (const auto problems = metadata_problems(object); !problems.empty()) {
    return tl::unexpected(invalid(table.type, key.name, problems));
  }
  if (auto failure = review(table, writer, "CREATE", "", nullptr, object)) {
    return tl::unexpected(*failure);
  }
  if (storage.get(table, key) != nullptr) {
    return tl::unexpected(already_exists(table.type, key.name));
  }
  note_manager(object, table, writer);
  if (is_too_large(object)) {
    return tl::unexpected(object_too_large());
  }
  return storage.put(table, std::move(object));
}

Answer<ObjectPtr> replace_object(ApiStorage& storage, Table& table, const ObjectPtr& current, Json wanted,
                                 const std::string& subresource, const Writer& writer) {
  if (auto failure = check_identity(table, wanted)) {
    return tl::unexpected(*failure);
  }
  if (auto failure = check_versions(table, *current, wanted)) {
    return tl::unexpected(*failure);
  }
  Json next = subresource == "status" ? merged_for_status(*current, wanted)
                                      : merged_for_main_resource(table, *current, std::move(wanted));
  if (table.options.set_defaults) {
    table.options.set_defaults(next);
  }
  if (auto failure = check_replacement(table, *current, next)) {
    return tl::unexpected(*failure);
  }
  if (table.options.counts_generation && spec_differs(*current, next)) {
    next["metadata"]["generation"] = kube::meta_from_json(*current).generation + 1;
  }
  if (auto failure = review(table, writer, "UPDATE", subresource, current.get(), next)) {
    return tl::unexpected(*failure);
  }
  if (writer.applies || next != *current) {
    note_manager(next, table, writer);
  }
  if (next == *current) {
    return current;
  }
  if (is_too_large(next)) {
    return tl::unexpected(object_too_large());
  }
  const auto meta = kube::meta_from_json(next);
  if (meta.being_deleted() && meta.finalizers.empty()) {
    return storage.erase(table, meta.key(), std::move(next));
  }
  return storage.put(table, std::move(next));
}

Answer<Deletion> delete_object(ApiStorage& storage, Table& table, const kube::ObjectKey& key,
                               const DeletePreconditions& preconditions, const Writer& writer) {
  const ObjectPtr current = storage.get(table, key);
  if (current == nullptr) {
    return tl::unexpected(not_found(table.type, key.name));
  }
  const auto meta = kube::meta_from_json(*current);
  if (auto failure = check_preconditions(table, meta, preconditions)) {
    return tl::unexpected(*failure);
  }
  if (auto failure = review(table, writer, "DELETE", "", current.get(), *current)) {
    return tl::unexpected(*failure);
  }
  if (meta.being_deleted()) {
    return Deletion{current, false};
  }
  Json next = *current;
  add_propagation_finalizer(next, preconditions.propagation);
  if (kube::meta_from_json(next).finalizers.empty()) {
    return Deletion{storage.erase(table, key, std::move(next)), true};
  }
  return Deletion{storage.put(table, marked_as_deleted(storage, std::move(next))), false};
}

}  // namespace convoke::fakes
