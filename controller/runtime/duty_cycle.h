// Keeps objects that cost much to look at from taking all of a worker: after a look that took long, the next
// one waits until the looks make up no more than a share of the time. What is cheap to look at is looked at
// as often as it changes.
//
// Thread safety: all methods from every thread. Nothing is lost with it: after a restart the next look is at
// once.
#pragma once

#include <algorithm>
#include <string>
#include <unordered_map>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"

namespace convoke::runtime {

class DutyCycle {
 public:
  // Looks take at most one part in `parts` of the time; those below `cheap` do not count.
  explicit DutyCycle(int parts, Duration cheap = std::chrono::milliseconds(2))
      : rests_(parts - 1), cheap_(cheap) {}

  // How long the next look should still wait; zero if it may be now.
  Duration wait(const std::string& uid, MonotonicTime now) const {
    const MutexLock lock(mutex_);
    const auto found = next_.find(uid);
    return found == next_.end() ? Duration::zero() : std::max(found->second - now, Duration::zero());
  }

  void looked(const std::string& uid, MonotonicTime begin, MonotonicTime end) {
    const MutexLock lock(mutex_);
    if (end - begin <= cheap_) {
      next_.erase(uid);
    } else {
      next_[uid] = end + rests_ * (end - begin);
    }
  }

  void forget(const std::string& uid) {
    const MutexLock lock(mutex_);
    next_.erase(uid);
  }

 private:
  const int rests_;
  const Duration cheap_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, MonotonicTime> next_ GUARDED_BY(mutex_);
};

}  // namespace convoke::runtime
