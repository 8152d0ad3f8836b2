// Keeps an object's less urgent status writes apart: remembers when each object was last written.
//
// Thread safety: all methods from every thread. Nothing is lost with it: after a restart the next write is
// made at once.
#pragma once

#include <algorithm>
#include <string>
#include <unordered_map>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"

namespace convoke::runtime {

class WritePacer {
 public:
  explicit WritePacer(Duration interval) : interval_(interval) {}

  void set_interval(Duration interval) {
    const MutexLock lock(mutex_);
    interval_ = interval;
  }

  // How long a write that is not urgent should still wait; zero if it may be made now.
  Duration wait(const std::string& uid, MonotonicTime now) const {
    const MutexLock lock(mutex_);
    const auto found = written_.find(uid);
    return found == written_.end() ? Duration::zero()
                                   : std::max(found->second + interval_ - now, Duration::zero());
  }
  void wrote(const std::string& uid, MonotonicTime now) {
    const MutexLock lock(mutex_);
    written_[uid] = now;
  }
  void forget(const std::string& uid) {
    const MutexLock lock(mutex_);
    written_.erase(uid);
  }

 private:
  mutable Mutex mutex_;
  Duration interval_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, MonotonicTime> written_ GUARDED_BY(mutex_);
};

}  // namespace convoke::runtime
