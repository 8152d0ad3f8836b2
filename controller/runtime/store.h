// The cache of one resource: typed, indexed, and never behind our own writes. Start here to read controller/runtime.
//
// T is a plain struct with a member `kube::ObjectMeta meta`. The reflector feeds the store from the API server
// (replace, apply, remove); writers hand it the answer of each of their writes (overlay, overlay_removed), so that the
// next read sees it even though the watch has not delivered it yet ("read your writes"). Every object keeps the newest
// resourceVersion that was seen of it: an older event never replaces a newer answer. A changed uid is a removal and an
// addition.
//
// Thread safety: all methods from every thread, except add_index and add_handler, which come before the first object.
// Indexes change under the same lock as the objects. Handlers are called after it, on the thread that made the change;
// two changes of one key may reach a handler in either order, so a handler reads the store (or compares
// resourceVersions) instead of trusting the order.
// Ownership: objects are shared and immutable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "controller/base/mutex.h"
#include "controller/kube/object.h"

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

  Ptr get(const kube::ObjectKey& key) const;
  std::vector<Ptr> list() const;
  std::vector<Ptr> by_index(const std::string& index, const std::string& value) const;
  std::size_t count_by_index(const std::string& index, const std::string& value) const;
  std::size_t size() const;

  // From the reflector. replace: the complete state as of `resource_version`; objects that our own writes made newer
  // than that stay.
  void replace(std::vector<Ptr> objects, const std::string& resource_version);
  void apply(Ptr object);
  void remove(const kube::ObjectKey& key, const std::string& uid, const std::string& resource_version);

  // From writers.
  void overlay(Ptr object) { apply(std::move(object)); }
  // After a delete that took effect: late events of that uid are ignored.
  void overlay_removed(const kube::ObjectKey& key, const std::string& uid);
};

}  // namespace convoke::runtime
