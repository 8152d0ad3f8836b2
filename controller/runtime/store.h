// The cache of one resource: typed, indexed, and never behind our own writes. Start here to read
// controller/runtime.
//
// T is a plain struct with a member `kube::ObjectMeta meta`. The reflector feeds the store from the API
// server (replace, apply, remove); writers hand it the answer of each of their writes (overlay,
// overlay_removed), so that the next read sees it even though the watch has not delivered it yet ("read your
// writes"). Every object keeps the newest resourceVersion that was seen of it: an older event never replaces
// a newer answer. A changed uid is a removal and an addition. What was removed stays removed: late news of it
// is ignored (tombstones.h).
//
// Thread safety: all methods from every thread, except add_index and add_handler, which come before the first
// object. Indexes change under the same lock as the objects. Handlers are called after it, on the thread that
// made the change; two changes of one key may reach a handler in either order, so a handler reads the store
// (or compares resourceVersions) instead of trusting the order. Ownership: objects are shared and immutable.
// Errors: asking for an index that was never added is a defect and throws std::logic_error.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "controller/base/mutex.h"
#include "controller/kube/object.h"
#include "controller/runtime/object_key_hash.h"
#include "controller/runtime/tombstones.h"

namespace convoke::runtime {

template <class T>
class Store {
 public:
  using Ptr = std::shared_ptr<const T>;

  struct Change {
    Ptr before;            // null for an addition
    Ptr after;             // null for a removal
    bool initial = false;  // part of the first list
  };
  using Handler = std::function<void(const Change&)>;
  // The values under which an object is found; may be none.
  using IndexFunction = std::function<std::vector<std::string>(const T&)>;

  void add_index(const std::string& name, IndexFunction function);
  void add_handler(Handler handler);

  // Null if there is none.
  Ptr get(const kube::ObjectKey& key) const;
  // Many objects come in no particular order.
  std::vector<Ptr> list() const;
  std::vector<Ptr> by_index(const std::string& index, const std::string& value) const;
  std::size_t count_by_index(const std::string& index, const std::string& value) const;
  std::size_t size() const;

  // From the reflector. replace: the complete state as of `resource_version`; objects that our own writes
  // made newer than that stay. With a namespace it is the state of that one, and the others stay as they are.
  void replace(std::vector<Ptr> objects, const std::string& resource_version,
               const std::string& namespace_ = {});
  void apply(Ptr object);
  void remove(const kube::ObjectKey& key, const std::string& uid, const std::string& resource_version);

  // From writers.
  void overlay(Ptr object) { apply(std::move(object)); }
  // After a delete that took effect: late events of that uid are ignored.
  void overlay_removed(const kube::ObjectKey& key, const std::string& uid);

 private:
  // An object is its own key: hashing and comparing look into its metadata, so that no key is kept twice.
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(const kube::ObjectKey& key) const { return hash_key(key.namespace_, key.name); }
    std::size_t operator()(const Ptr& object) const {
      return hash_key(object->meta.namespace_, object->meta.name);
    }
  };
  struct KeyEqual {
    using is_transparent = void;
    bool operator()(const Ptr& a, const Ptr& b) const {
      return a->meta.name == b->meta.name && a->meta.namespace_ == b->meta.namespace_;
    }
    bool operator()(const kube::ObjectKey& key, const Ptr& object) const {
      return key.name == object->meta.name && key.namespace_ == object->meta.namespace_;
    }
    bool operator()(const Ptr& object, const kube::ObjectKey& key) const { return (*this)(key, object); }
  };
  using Objects = std::unordered_set<Ptr, KeyHash, KeyEqual>;
  using Changes = std::vector<Change>;

  struct Index {
    IndexFunction function;
    std::unordered_map<std::string, Objects> by_value;
  };

  static std::uint64_t version_of(const T& object);
  static bool is_newer(const T& candidate, const T& held);

  // Null if no object of the index has this value.
  const Objects* find_in_index(const std::string& index, const std::string& value) const REQUIRES(mutex_);
  bool is_news(const Ptr& object) const REQUIRES(mutex_);
  void put(Ptr object, bool initial, Changes& changes) REQUIRES(mutex_);
  // Versions up to `dead_version` do not come back. Returns the iterator after the removed object.
  typename Objects::iterator take_out(typename Objects::iterator held, std::uint64_t dead_version,
                                      Changes& changes) REQUIRES(mutex_);
  void take_out_unlisted(const std::vector<Ptr>& listed, std::uint64_t list_version,
                         const std::string& namespace_, Changes& changes) REQUIRES(mutex_);
  // Null `before`: an addition; null `after`: a removal.
  void reindex(const Ptr& before, const Ptr& after) REQUIRES(mutex_);
  void notify(const Changes& changes) const EXCLUDES(mutex_);

  mutable Mutex mutex_;
  Objects objects_ GUARDED_BY(mutex_);
  std::map<std::string, Index> indexes_ GUARDED_BY(mutex_);
  Tombstones tombstones_ GUARDED_BY(mutex_);
  std::set<std::string> listed_ GUARDED_BY(mutex_);  // namespaces; empty: all of them
  std::vector<Handler> handlers_;  // complete before the first object, constant from then on
};

}  // namespace convoke::runtime

#include "controller/runtime/store_impl.h"
