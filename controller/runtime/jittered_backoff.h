// How long to wait before the next try: twice as long after each failure, up to a maximum, and a random part
// shorter, so that many clients do not come back at the same moment.
//
// No thread safety of its own. Ownership: the Random outlives it.
#pragma once

#include <algorithm>
#include <chrono>

#include "controller/base/clock.h"
#include "controller/base/random.h"

namespace convoke::runtime {

class JitteredBackoff {
 public:
  JitteredBackoff(Random& random, Duration base, Duration max) : random_(random), base_(base), max_(max) {}

  // Between half of the current delay and all of it.
  Duration next() {
    const double share = 0.5 + 0.5 * random_.uniform();
    const auto delay = std::chrono::duration_cast<Duration>(current_ * share);
    current_ = std::min(current_ * 2, max_);
    return delay;
  }
  void reset() { current_ = base_; }

 private:
  Random& random_;
  Duration base_;
  Duration max_;
  Duration current_ = base_;
};

}  // namespace convoke::runtime
