// What the fake API server holds: objects by type, one rising resourceVersion, and the history that watches
// read.
//
// The rules of the API (conflicts, status isolation, finalizers) are the verbs' work (api_verbs.h); this part
// only keeps what it is given. Not thread-safe: the server's mutex guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/kube/json.h"
#include "controller/kube/object.h"

namespace convoke::fakes {

using ObjectPtr = std::shared_ptr<const Json>;

// A write that is about to be stored, for a type's own admission.
struct WriteReview {
  const std::string& client;
  const std::string& field_manager;  // empty: none was given
  const std::string& operation;      // CREATE, UPDATE or DELETE
  const std::string& subresource;
  const Json* before;  // null when created
  const Json& after;
};

struct TypeOptions {
  bool has_status = true;                           // has the /status subresource
  bool counts_generation = true;                    // metadata.generation rises when the spec changes
  bool allows_unconditional_update = false;         // PUT without a resourceVersion
  std::vector<std::string> selectable_fields = {};  // besides metadata.name and metadata.namespace
  // An Error refuses the write: Invalid is answered with 422 and its causes, any other code with 403.
  std::function<Status(const WriteReview&)> review = {};
  std::function<void(Json&)> set_defaults = {};
};

struct StoredEvent {
  std::uint64_t revision = 0;
  ObjectPtr before;  // null: created
  ObjectPtr after;   // the last state, also of a deleted object
  bool is_deletion = false;
};

struct Table {
  kube::ResourceType type;
  TypeOptions options;
  std::map<kube::ObjectKey, ObjectPtr> objects = {};
  std::deque<StoredEvent> history = {};
  std::uint64_t compacted_revision = 0;  // watches must begin here or later
};

class ApiStorage {
 public:
  explicit ApiStorage(Clock& clock) : clock_(clock) {}

  Table& register_type(const kube::ResourceType& type, TypeOptions options);
  Table* find(const std::string& group, const std::string& version, const std::string& plural);
  std::map<std::string, Table>& tables() { return tables_; }

  // Null if there is none.
  ObjectPtr get(const Table& table, const kube::ObjectKey& key) const;
  // Stores the object under a new resourceVersion and records the event.
  ObjectPtr put(Table& table, Json object);
  // Removes the object; its last state, too, gets a new resourceVersion.
  ObjectPtr erase(Table& table, const kube::ObjectKey& key, Json last);

  std::uint64_t revision() const { return revision_; }
  std::string new_uid();
  // Five characters for generateName.
  std::string new_name_suffix();
  WallTime now() const { return clock_.wall_now(); }
  // Forgets the history, and the snapshots of lists in pages.
  void compact();
  void set_history_limit(std::size_t events) { history_limit_ = events; }
  void repeat_next_events(int count) { repeats_left_ = count; }
  // Called after each event.
  void on_event(std::function<void(const Table&)> listener) { listener_ = std::move(listener); }

  // The rest of a list that is read in pages, as it was when the first page was read.
  struct Snapshot {
    std::uint64_t revision = 0;
    std::vector<ObjectPtr> items;
    std::size_t next = 0;
  };
  std::string save_snapshot(Snapshot snapshot);
  std::optional<Snapshot> find_snapshot(const std::string& token) const;

  // Objects whose ownerReferences name this uid.
  using ObjectId = std::pair<std::string, kube::ObjectKey>;  // table id, key
  std::vector<ObjectId> dependents(const std::string& uid) const;
  bool uid_exists(const std::string& uid) const { return by_uid_.contains(uid); }
  bool kind_exists(const std::string& api_version, const std::string& kind) const;
  Table* table_of(const ObjectId& id);
  // Objects whose owners, dependents or deletion changed since the last call: the garbage collector's work.
  std::set<ObjectId> take_garbage_candidates() { return std::exchange(garbage_candidates_, {}); }
  static std::string table_id(const kube::ResourceType& type);

 private:
  std::string next_revision() { return std::to_string(++revision_); }
  void record(Table& table, StoredEvent event);
  void forget_owner(const std::string& owner_uid, const ObjectId& dependent);
  void index(const Table& table, const kube::ObjectKey& key, const Json* before, const Json* after);

  Clock& clock_;
  std::map<std::string, Table> tables_;
  std::map<std::string, ObjectId> by_uid_;
  std::map<std::string, std::set<ObjectId>> by_owner_;
  std::set<ObjectId> garbage_candidates_;
  std::map<std::string, Snapshot> snapshots_;
  std::uint64_t revision_ = 1;
  std::uint64_t last_uid_ = 0;
  std::uint64_t last_token_ = 0;
  std::size_t history_limit_ = 10000;
  int repeats_left_ = 0;
  std::function<void(const Table&)> listener_;
};

}  // namespace convoke::fakes
