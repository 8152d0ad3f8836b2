// What to do about one lock: a pure function of its Lease, of what is known about its holders, and of how
// long the Lease has not changed. One decision is one write at most.
//
// Thread safety: pure. Errors: none.
#pragma once

#include <optional>
#include <vector>

#include "controller/base/clock.h"
#include "reconcilers/task/lock_lease.h"

namespace convoke::task {

inline constexpr Duration kLockRenewInterval = std::chrono::seconds(10);

enum class HolderState {
  Holds,    // it is Assigned or Running with this lock
  Ended,    // it is not, or is not there any more
  Unknown,  // it is about to be, or the API could not be asked
};

struct LockSnapshot {
  const LockRecord& record;
  std::vector<HolderState> holders;  // of record.holders
  Duration unchanged_for;            // on the operator's own monotonic clock
  WallTime now;
};

struct LockDecision {
  enum class Why {
    Nothing,
    Released,  // holders ended
    Broken,    // a person said so
    Expired,   // a foreign holder did not renew
    Renewed,
  };
  Why why = Why::Nothing;
  std::optional<kube::Lease> write;
  std::vector<LockHolder> freed;  // Tasks that do not hold it after the write
  std::optional<Duration> look_again;
};

LockDecision decide(const LockSnapshot& snapshot);

}  // namespace convoke::task
