// Of several Tasks with one idempotencyKey, which is run: the first one, by creation, then uid.
//
// In this order come first: a Task that has Succeeded, whose result the others take; one that has been given
// out; the oldest. So the choice stays when it is made again, by a new leader too. A Task that is being
// deleted before anybody had it, that ended without success or that cannot work is passed over, and the next
// one takes its place.
//
// Two Tasks that were created in the same second may come to be known in the wrong order: the one that was
// chosen stays chosen, for as long as this process lives, so that both are not given out while the first
// assignment is on its way.
//
// Thread safety: all methods from every thread. Ownership: the caches outlive this. Errors: none.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/mutex.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/task/subtask_verdict.h"

namespace convoke::task {

class FirstTasks {
 public:
  explicit FirstTasks(const api::Caches& caches) : caches_(caches) {}

  // Called with a Task that has taken the place of the first one, where the question was asked for another
  // one. To be set before the first question; called without a lock.
  using Listener = std::function<void(const kube::ObjectKey& task)>;
  void set_listener(Listener listener) { listener_ = std::move(listener); }

  // The Task whose result `task` waits for; null if it is to be run itself. To be asked whenever a Task came
  // or changed. A look at all Tasks with the key is taken only where there is no choice yet, or no longer.
  TaskPtr first_before(const api::Task& task);

  // Whether others wait for `task`, or did until the change that is just being told.
  bool is_first(const api::Task& task) const;
  // The other Tasks with its key that have not ended.
  std::vector<TaskPtr> others_waiting(const api::Task& task) const;
  void forget(const api::Task& gone);

 private:
  // `anew`: it takes the place of another one.
  TaskPtr choose(const api::Task& task, bool& anew);
  int rank(const api::Task& task) const;
  TaskPtr find_first(const std::string& key) const;

  const api::Caches& caches_;
  Listener listener_;
  mutable Mutex mutex_;
  struct Choice {
    kube::ObjectKey task;
    std::string uid;
  };
  std::map<std::string, Choice> chosen_ GUARDED_BY(mutex_);  // by "namespace/key"
};

}  // namespace convoke::task
