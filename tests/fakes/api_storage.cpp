#include "tests/fakes/api_storage.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

namespace convoke::fakes {
namespace {

constexpr std::size_t kMaxSnapshots = 100;

std::vector<std::string> owner_uids(const Json& object) {
  std::vector<std::string> uids;
  for (const auto& owner : kube::meta_from_json(object).owner_references) {
    uids.push_back(owner.uid);
  }
  return uids;
}

}  // namespace

std::string ApiStorage::table_id(const kube::ResourceType& type) {
  return type.group + "/" + type.version + "/" + type.plural;
}

Table& ApiStorage::register_type(const kube::ResourceType& type, TypeOptions options) {
  Table table{type, std::move(options)};
  table.compacted_revision = revision_;
  return tables_.insert_or_assign(table_id(type), std::move(table)).first->second;
}

Table* ApiStorage::find(const std::string& group, const std::string& version, const std::string& plural) {
  const auto found = tables_.find(group + "/" + version + "/" + plural);
  return found == tables_.end() ? nullptr : &found->second;
}

ObjectPtr ApiStorage::get(const Table& table, const kube::ObjectKey& key) const {
  const auto found = table.objects.find(key);
  return found == table.objects.end() ? nullptr : found->second;
}

ObjectPtr ApiStorage::put(Table& table, Json object) {
  object["metadata"]["resourceVersion"] = next_revision();
  const kube::ObjectKey key = kube::meta_from_json(object).key();
  const ObjectPtr before = get(table, key);
  const ObjectPtr after = std::make_shared<const Json>(std::move(object));
  table.objects[key] = after;
  index(table, key, before.get(), after.get());
  record(table, {revision_, before, after, false});
  return after;
}

ObjectPtr ApiStorage::erase(Table& table, const kube::ObjectKey& key, Json last) {
  const ObjectPtr before = get(table, key);
  last["metadata"]["resourceVersion"] = next_revision();
  const ObjectPtr after = std::make_shared<const Json>(std::move(last));
  table.objects.erase(key);
  index(table, key, before.get(), nullptr);
  record(table, {revision_, before, after, true});
  return after;
}

std::string ApiStorage::new_uid() {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "00000000-0000-4000-8000-%012llx",
                static_cast<unsigned long long>(++last_uid_));
  return text.data();
}

std::string ApiStorage::new_name_suffix() {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string suffix;
  std::uint64_t number = ++last_uid_ * 7919;
  for (int i = 0; i < 5; ++i) {
    suffix += kAlphabet[number % kAlphabet.size()];
    number /= kAlphabet.size();
  }
  return suffix;
}

void ApiStorage::compact() {
  snapshots_.clear();
  for (auto& [id, table] : tables_) {
    table.history.clear();
    table.compacted_revision = revision_;
  }
}

std::string ApiStorage::save_snapshot(Snapshot snapshot) {
  if (snapshots_.size() >= kMaxSnapshots) {
    snapshots_.erase(snapshots_.begin());
  }
  std::array<char, 40> token{};
  std::snprintf(token.data(), token.size(), "page-%010llu", static_cast<unsigned long long>(++last_token_));
  snapshots_[token.data()] = std::move(snapshot);
  return token.data();
}

std::optional<ApiStorage::Snapshot> ApiStorage::find_snapshot(const std::string& token) const {
  const auto found = snapshots_.find(token);
  return found == snapshots_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<ApiStorage::ObjectId> ApiStorage::dependents(const std::string& uid) const {
  const auto found = by_owner_.find(uid);
  if (found == by_owner_.end()) {
    return {};
  }
  return {found->second.begin(), found->second.end()};
}

bool ApiStorage::kind_exists(const std::string& api_version, const std::string& kind) const {
  return std::ranges::any_of(tables_, [&](const auto& entry) {
    return entry.second.type.api_version() == api_version && entry.second.type.kind == kind;
  });
}

Table* ApiStorage::table_of(const ObjectId& id) {
  const auto found = tables_.find(id.first);
  return found == tables_.end() ? nullptr : &found->second;
}

void ApiStorage::record(Table& table, StoredEvent event) {
  table.history.push_back(event);
  if (repeats_left_ > 0) {
    --repeats_left_;
    table.history.push_back(std::move(event));
  }
  while (table.history.size() > history_limit_) {
    table.compacted_revision = table.history.front().revision;
    table.history.pop_front();
  }
  if (listener_) {
    listener_(table);
  }
}

void ApiStorage::index(const Table& table, const kube::ObjectKey& key, const Json* before,
                       const Json* after) {
  const ObjectId id{table_id(table.type), key};
  if (before != nullptr) {
    const std::string uid = kube::meta_from_json(*before).uid;
    by_uid_.erase(uid);
    for (const auto& owner_uid : owner_uids(*before)) {
      forget_owner(owner_uid, id);
    }
    if (after == nullptr) {
      const auto orphans = dependents(uid);
      garbage_candidates_.insert(orphans.begin(), orphans.end());
    }
  }
  if (after != nullptr) {
    by_uid_[kube::meta_from_json(*after).uid] = id;
    for (const auto& uid : owner_uids(*after)) {
      by_owner_[uid].insert(id);
    }
    garbage_candidates_.insert(id);
  }
}

// The owner may wait, in a foreground deletion, for its dependents to be gone.
void ApiStorage::forget_owner(const std::string& owner_uid, const ObjectId& dependent) {
  by_owner_[owner_uid].erase(dependent);
  if (const auto owner = by_uid_.find(owner_uid); owner != by_uid_.end()) {
    garbage_candidates_.insert(owner->second);
  }
}

}  // namespace convoke::fakes
