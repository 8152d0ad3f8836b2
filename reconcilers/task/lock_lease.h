// A lock as its Lease says: who holds it, and the records that grant, release, renew and break it. Start here
// to read the locks.
//
//   Lease convoke-lock-NAME   holderIdentity      the oldest holder: a Task's uid, or whatever others write
//                             leaseTransitions    the fencing token of the last grant: it only rises, so a
//                                                 Lease that nobody holds is kept
//                             lock-holders        annotation: all Tasks that hold it (JSON), while Tasks do
//
// A holderIdentity that the annotation does not begin with is a foreign holder: somebody else by the same
// protocol. It counts as Exclusive, whatever the annotation says.
//
// Who writes: LockKeeper grants, LockReconciler does all else; each write is a compare-and-swap.
//
// Thread safety: pure functions and values. Errors: none; an annotation that cannot be read names nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/lease.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

inline constexpr char kLockHoldersAnnotation[] = "convoke.dev/lock-holders";
inline constexpr char kBreakLockAnnotation[] = "convoke.dev/break-lock";  // its value is the reason
inline constexpr Duration kLockDuration = std::chrono::seconds(30);
inline constexpr Duration kMaxLockDuration = std::chrono::minutes(5);  // more, by others, counts as this
// So that the annotation fits into its Lease (256 KiB) whatever the Tasks' names are.
inline constexpr int kMaxLockHolders = 500;

struct LockHolder {
  std::string uid;
  std::string task;  // its name
  api::LockMode mode = api::LockMode::Exclusive;
  int permits = 0;
  std::int64_t token = 0;
  std::string since;  // RFC 3339
  bool operator==(const LockHolder&) const = default;
};

struct LockRecord {
  kube::Lease lease;
  std::vector<LockHolder> holders;  // Tasks, the oldest first
  std::string foreign;              // the other holder; empty: none

  static LockRecord of(const kube::Lease& lease);

  bool is_held() const { return !holders.empty() || !foreign.empty(); }
  const LockHolder* find(const std::string& uid) const;
  // Whether `request` could be granted to the Task besides all the others that hold it.
  bool admits(const std::string& uid, const api::LockRequest& request) const;
  // For people: "Task a (Exclusive)", "Tasks a, b and 3 more (Shared)", "holder x".
  std::string describe() const;
  // Set by a person; the reason may be empty.
  std::optional<std::string> break_reason() const;
  Duration duration() const;

  // The Lease with one holder more, or again with a new token. Its token is lease_transitions.
  kube::Lease granted(const api::Task& task, const api::LockRequest& request, WallTime now) const;
  kube::Lease without(const std::vector<std::string>& uids, WallTime now) const;
  kube::Lease renewed(WallTime now) const;
  // Nobody holds it, and the request to break it is gone.
  kube::Lease broken(WallTime now) const;
};

std::string lock_lease_name(const std::string& lock);
// The lock whose Lease this is; none if name and label do not agree.
std::optional<std::string> lock_of(const kube::Lease& lease);
// A Lease that does not exist yet. The first token is one more than `last_token`.
LockRecord new_lock(const std::string& namespace_, const std::string& lock, std::int64_t last_token);
// Whether two Leases say the same, as far as the observed-time rule goes.
bool is_same_record(const kube::Lease& a, const kube::Lease& b);
// Sorted by name, without duplicates: the one order in which all Tasks take their locks.
std::vector<api::LockRequest> in_order(std::vector<api::LockRequest> locks);

}  // namespace convoke::task
