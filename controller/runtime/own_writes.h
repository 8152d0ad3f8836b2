// Tells the news of a reconciler's own writes from the news of others. A reconciler that has just decided and
// written gains nothing from looking at the same object again, so its handlers leave out what covers() knows.
//
// Thread safety: all methods from every thread. An answer that the watch delivers before overlay() got to it
// is not covered: the object is then looked at once more, which does no harm.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "controller/base/mutex.h"
#include "controller/runtime/store.h"

namespace convoke::runtime {

class OwnWrites {
 public:
  // Puts the answer of a write into the store; the store's handlers run meanwhile.
  template <class T>
  void overlay(Store<T>& store, T written) {
    auto object = std::make_shared<const T>(std::move(written));
    const std::string version = object->meta.resource_version;
    {
      const MutexLock lock(mutex_);
      versions_.insert(version);
    }
    store.overlay(std::move(object));
    const MutexLock lock(mutex_);
    versions_.erase(version);
  }

  bool covers(const std::string& resource_version) const {
    const MutexLock lock(mutex_);
    return versions_.contains(resource_version);
  }

 private:
  mutable Mutex mutex_;
  std::set<std::string> versions_ GUARDED_BY(mutex_);  // while they are on their way into the store
};

}  // namespace convoke::runtime
