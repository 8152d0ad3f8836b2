// Takes the locks of a Task that is about to be assigned, gives them back if it is not, and says whether a
// live Task still has its own.
//
// Locks are taken in the order of their names, each by one compare-and-swap; if one cannot be had, those that
// were taken before it are given back, so nobody holds one lock while it waits for another. Whose turn it is
// was decided before (lock_table.h); here the Lease itself has the last word.
//
// Every grant has a token of its own, also the second one to the same Task: an agent may have seen the first.
//
// Thread safety: all methods from every thread. Ownership: all that the constructor takes outlives it.
// Errors: Conflict: somebody else has a lock, or took it at the same time. Unavailable, Timeout: the Task may
// hold them; to be tried again. Any other: it holds none, as far as they could be given back; the
// LockReconciler frees what is left.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/kube/client.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/task/lock_lease.h"
#include "reconcilers/task/lock_metrics.h"

namespace convoke::task {

class LockKeeper {
 public:
  using Tokens = std::map<std::string, std::int64_t>;

  LockKeeper(kube::Client& client, api::Caches& caches, Clock& clock, LockMetrics& metrics, Logger log);

  // While one lives, what the Task holds is not freed, although it is not assigned yet.
  class Taking {
   public:
    Taking(LockKeeper& keeper, const api::Task& task);
    ~Taking();
    Taking(const Taking&) = delete;
    Taking& operator=(const Taking&) = delete;

   private:
    LockKeeper& keeper_;
    const std::string uid_;
  };
  bool is_taking(const std::string& uid) const;

  Result<Tokens> acquire(const api::Task& task);
  void give_back(const api::Task& task);
  // For the metrics: a Task was assigned with its locks, that long after it was seen to want an agent.
  void waited(Duration time) { metrics_.waited(time); }
  // Why a live Task has lost a lock; empty: it has all of them. An error: the API cannot be asked.
  Result<std::string> loss(const api::Task& task);

  // Its Lease is gone: a new one goes on counting from there.
  void lock_deleted(const kube::Lease& lease);

 private:
  Result<std::int64_t> acquire_one(const api::Task& task, const api::LockRequest& request);
  // As the API server has it now; a new one if there is none. It goes into the store.
  Result<LockRecord> read(const kube::ObjectKey& key, const std::string& lock);
  Result<kube::Lease> write(const kube::Lease& lease);
  // So that the watch sees a Lease which somebody else made.
  void adopt(const LockRecord& record, const std::string& lock);
  std::int64_t last_token(const kube::ObjectKey& key) const;

  kube::Client& client_;
  api::Caches& caches_;
  Clock& clock_;
  LockMetrics& metrics_;
  Logger log_;
  mutable Mutex mutex_;
  std::multiset<std::string> taking_ GUARDED_BY(mutex_);  // uids
  std::map<kube::ObjectKey, std::int64_t> tokens_of_deleted_ GUARDED_BY(mutex_);
};

}  // namespace convoke::task
