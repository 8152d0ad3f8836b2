// How soon an agent with a rateLimit may be given its next Task: a token bucket, or nothing.
//
// A token is taken when the agent is reserved for a Task and put back if the assignment does not come about.
// The bucket is in memory only: a new leader fills it anew from the assignments of late that the Tasks'
// status tells of (recent_assignments.h).
//
// Thread safety: none; it is used under the scheduler's lock. Errors: none.
#pragma once

#include <optional>
#include <vector>

#include "controller/base/clock.h"
#include "controller/runtime/token_bucket.h"
#include "reconcilers/api/agent.h"

namespace convoke::task {

class RateGate {
 public:
  // What was taken stays taken when the limit changes.
  void configure(const std::optional<api::RateLimit>& limit, MonotonicTime now);
  // As if the bucket had been full long ago, and tokens were taken at these times (any order).
  void replay(std::vector<MonotonicTime> taken, MonotonicTime now);

  void take(MonotonicTime now);
  void put_back();
  // From when on there is a token: now, or a later time.
  MonotonicTime opens_at(MonotonicTime now) const;

  static int burst_of(const api::RateLimit& limit);

 private:
  std::optional<api::RateLimit> limit_;
  std::optional<runtime::TokenBucket> bucket_;
};

}  // namespace convoke::task
