#include "reconcilers/task/lock_decide.h"

#include <algorithm>
#include <string>

namespace convoke::task {
namespace {

// Until holders are looked at again of whom nothing is certain.
constexpr Duration kAskAgain = std::chrono::seconds(2);

LockDecision release_ended(const LockSnapshot& seen) {
  LockDecision decision;
  std::vector<std::string> uids;
  for (std::size_t i = 0; i < seen.record.holders.size(); ++i) {
    if (seen.holders[i] == HolderState::Ended) {
      decision.freed.push_back(seen.record.holders[i]);
      uids.push_back(seen.record.holders[i].uid);
    }
  }
  if (!uids.empty()) {
    decision.why = LockDecision::Why::Released;
    decision.write = seen.record.without(uids, seen.now);
  }
  return decision;
}

LockDecision await_foreign(const LockSnapshot& seen) {
  const Duration left = seen.record.duration() - seen.unchanged_for;
  if (left > Duration::zero()) {
    return {LockDecision::Why::Nothing, {}, {}, left};
  }
  return {LockDecision::Why::Expired, seen.record.without({}, seen.now), {}, {}};
}

}  // namespace

LockDecision decide(const LockSnapshot& seen) {
  if (seen.record.break_reason()) {
    return {LockDecision::Why::Broken, seen.record.broken(seen.now), seen.record.holders, {}};
  }
  if (!seen.record.foreign.empty()) {
    return await_foreign(seen);
  }
  if (LockDecision released = release_ended(seen); released.write) {
    return released;
  }
  if (seen.record.holders.empty()) {
    return {};
  }
  const Duration left = kLockRenewInterval - seen.unchanged_for;
  if (left <= Duration::zero()) {
    return {LockDecision::Why::Renewed, seen.record.renewed(seen.now), {}, {}};
  }
  const bool unknown =
      std::find(seen.holders.begin(), seen.holders.end(), HolderState::Unknown) != seen.holders.end();
  return {LockDecision::Why::Nothing, {}, {}, unknown ? std::min(left, kAskAgain) : left};
}

}  // namespace convoke::task
