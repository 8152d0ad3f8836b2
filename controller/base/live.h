// A value that may be replaced while others use it: options that a reload changes.
//
// Thread safety: all methods from every thread. get() gives a copy, so that one decision sees one value.
#pragma once

#include <utility>

#include "controller/base/mutex.h"

namespace convoke {

template <class T>
class Live {
 public:
  explicit Live(T value) : value_(std::move(value)) {}

  T get() const {
    const MutexLock lock(mutex_);
    return value_;
  }
  void set(T value) {
    const MutexLock lock(mutex_);
    value_ = std::move(value);
  }

 private:
  mutable Mutex mutex_;
  T value_ GUARDED_BY(mutex_);
};

}  // namespace convoke
