// Whose turn it is at each lock: who holds it (as its Lease says), for whom it is put by, and who waits.
//
// The waiting stand by urgency (priority, age, uid), and nobody overtakes: the first of them, as many as the
// holders leave room for, are *clear*; all behind the first that is not clear wait, though they might fit. So
// a reader does not pass a writer that came earlier, and a Task that wants several locks is not starved by
// those that want one. A Task may be given an agent once it is clear at all of its locks.
//
//   enqueue() -> clear at all locks, or not -> changed() -> reserve() -> the Lease names it -> unreserve()
//
// Nothing is held by a Task that waits, so there is no deadlock: the most urgent waits for holders only.
//
// Cost: O(log waiting) for each lock of the Task, and for each Task that becomes clear or ceases to be.
// Thread safety: none; the scheduler's lock. Ownership: entries are referred to between enqueue() and
// dequeue(), or reserve() and unreserve(). Errors: none.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>

#include "controller/kube/object.h"
#include "reconcilers/api/task.h"
#include "reconcilers/task/lock_lease.h"
#include "reconcilers/task/task_entry.h"

namespace convoke::task {

class LockTable {
 public:
  // What the lock's Lease says; a record that names nobody: it is free, or there is none.
  void set_holders(const kube::ObjectKey& lock, const LockRecord& record);

  // Entries without locks are always clear; calls for them change nothing.
  void enqueue(TaskEntry& entry);
  void dequeue(TaskEntry& entry);
  // A clear entry gets its locks; it leaves the queues.
  void reserve(TaskEntry& entry);
  void unreserve(TaskEntry& entry);

  static bool is_clear(const TaskEntry& entry) { return entry.blocked_at == 0; }
  // Queued entries that became clear, or ceased to be, since the last call.
  std::set<TaskEntry*> take_changed();
  // Of an entry that is not clear.
  api::LockWait explain(const TaskEntry& entry) const;

  std::size_t size() const { return locks_.size(); }

 private:
  struct Use {
    api::LockMode mode = api::LockMode::Exclusive;
    int permits = 0;
  };
  // Whether those who have a lock, or are to have it, get along.
  struct Tally {
    void add(const Use& use);
    void remove(const Use& use);
    bool fits() const;
    int count = 0;
    int exclusive = 0;
    std::multiset<int> permits;
  };
  using Ranked = __gnu_pbds::tree<TaskEntry*, __gnu_pbds::null_type, MostUrgentFirst, __gnu_pbds::rb_tree_tag,
                                  __gnu_pbds::tree_order_statistics_node_update>;
  struct Lock {
    std::map<std::string, Use> holders;          // by uid, or by the foreign holder's identity
    std::string described;                       // the holders, for people
    std::map<std::string, TaskEntry*> reserved;  // by uid
    std::set<TaskEntry*, MostUrgentFirst> clear;
    Ranked blocked;
    Tally tally;  // of holders, reserved (each once) and clear
  };
  using Locks = std::map<kube::ObjectKey, Lock>;

  static Use use_of(const api::LockRequest& request) { return {request.mode, request.permits}; }
  static const api::LockRequest& request_of(const TaskEntry& entry, const std::string& lock);
  static kube::ObjectKey key_of(const TaskEntry& entry, const api::LockRequest& request);

  void insert(TaskEntry& entry, const api::LockRequest& request);
  void erase(TaskEntry& entry, const api::LockRequest& request);
  // Clear ones become blocked until the rest fits, then blocked ones clear while they fit.
  void balance(const std::string& name, Lock& lock);
  void count(TaskEntry& entry, int change);
  void tidy(const kube::ObjectKey& key);

  Locks locks_;
  std::set<TaskEntry*> changed_;
};

}  // namespace convoke::task
