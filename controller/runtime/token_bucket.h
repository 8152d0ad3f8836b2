// So many at once, then so many a second. Pure: time comes in. Not thread-safe.
#pragma once

#include "controller/base/clock.h"

namespace convoke::runtime {

class TokenBucket {
 public:
  // Full at first. `per_second` may be a fraction.
  TokenBucket(double per_second, int burst, MonotonicTime now);

  bool take(MonotonicTime now);
  // What was taken was not used.
  void put_back();
  // When take() will succeed if nobody else takes before.
  MonotonicTime available_at(MonotonicTime now) const;
  // From `now` on. What is there stays, up to the new burst; a larger burst is there at once.
  void set_rate(double per_second, int burst, MonotonicTime now);

 private:
  double tokens_at(MonotonicTime now) const;

  double per_second_;
  double burst_;
  double tokens_;
  MonotonicTime as_of_;
};

}  // namespace convoke::runtime
