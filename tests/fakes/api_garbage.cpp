#include "tests/fakes/api_garbage.h"

#include <algorithm>
#include <utility>

#include "tests/fakes/api_writes.h"

namespace convoke::fakes {
namespace {

const Writer kCollector{"garbage-collector"};

bool has_finalizer(const kube::ObjectMeta& meta, const char* finalizer) {
  return std::ranges::find(meta.finalizers, finalizer) != meta.finalizers.end();
}

// An owner of a kind that is not known here may well be there.
bool lost_all_owners(const ApiStorage& storage, const kube::ObjectMeta& meta) {
  return !meta.owner_references.empty() &&
         std::ranges::none_of(meta.owner_references, [&](const auto& owner) {
           return storage.uid_exists(owner.uid) || !storage.kind_exists(owner.api_version, owner.kind);
         });
}

void remove_finalizer(ApiStorage& storage, Table& table, const kube::ObjectKey& key, const char* finalizer) {
  const ObjectPtr current = storage.get(table, key);
  if (current == nullptr) {
    return;
  }
  Json next = *current;
  std::vector<std::string> finalizers = kube::meta_from_json(next).finalizers;
  std::erase(finalizers, finalizer);
  next["metadata"]["finalizers"] = finalizers;
  if (finalizers.empty()) {
    next["metadata"].erase("finalizers");
  }
  (void)replace_object(storage, table, current, std::move(next), "", kCollector);
}

void orphan(ApiStorage& storage, Table& table, const kube::ObjectKey& key, const std::string& owner_uid) {
  const ObjectPtr current = storage.get(table, key);
  Json next = *current;
  Json& owners = next["metadata"]["ownerReferences"];
  owners.erase(std::remove_if(owners.begin(), owners.end(),
                              [&](const Json& owner) { return owner.value("uid", "") == owner_uid; }),
               owners.end());
  (void)replace_object(storage, table, current, std::move(next), "", kCollector);
}

bool blocks_owner(const kube::ObjectMeta& meta, const std::string& owner_uid) {
  return std::ranges::any_of(meta.owner_references, [&](const auto& owner) {
    return owner.uid == owner_uid && owner.block_owner_deletion;
  });
}

void continue_foreground_deletion(ApiStorage& storage, Table& table, const kube::ObjectMeta& meta) {
  bool is_blocked = false;
  for (const auto& id : storage.dependents(meta.uid)) {
    Table& dependents = *storage.table_of(id);
    (void)delete_object(storage, dependents, id.second, {}, kCollector);
    const ObjectPtr left = storage.get(dependents, id.second);
    is_blocked = is_blocked || (left != nullptr && blocks_owner(kube::meta_from_json(*left), meta.uid));
  }
  if (!is_blocked) {
    remove_finalizer(storage, table, meta.key(), kForegroundFinalizer);
  }
}

void orphan_dependents(ApiStorage& storage, Table& table, const kube::ObjectMeta& meta) {
  for (const auto& id : storage.dependents(meta.uid)) {
    orphan(storage, *storage.table_of(id), id.second, meta.uid);
  }
  remove_finalizer(storage, table, meta.key(), kOrphanFinalizer);
}

void collect(ApiStorage& storage, const ApiStorage::ObjectId& id) {
  Table* table = storage.table_of(id);
  const ObjectPtr object = table != nullptr ? storage.get(*table, id.second) : nullptr;
  if (object == nullptr) {
    return;
  }
  const auto meta = kube::meta_from_json(*object);
  if (meta.being_deleted() && has_finalizer(meta, kOrphanFinalizer)) {
    orphan_dependents(storage, *table, meta);
  } else if (meta.being_deleted() && has_finalizer(meta, kForegroundFinalizer)) {
    continue_foreground_deletion(storage, *table, meta);
  } else if (!meta.being_deleted() && lost_all_owners(storage, meta)) {
    (void)delete_object(storage, *table, id.second, {}, kCollector);
  }
}

}  // namespace

void collect_garbage(ApiStorage& storage) {
  for (auto candidates = storage.take_garbage_candidates(); !candidates.empty();
       candidates = storage.take_garbage_candidates()) {
    for (const auto& id : candidates) {
      collect(storage, id);
    }
  }
}

}  // namespace convoke::fakes
