// How many requests are out for each agent, so that one that hangs does not take all workers. Who finds no
// slot waits without a thread.
//
// Thread safety: all methods from every thread.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "controller/base/mutex.h"
#include "controller/kube/object.h"

namespace convoke::dispatch {

class AgentSlots {
 public:
  // False if the agent has `limit` requests out; then `waiting` is among those that a later leave() names.
  bool enter(const kube::ObjectKey& agent, int limit, const kube::ObjectKey& waiting) {
    const MutexLock lock(mutex_);
    Slots& slots = slots_[agent];
    if (slots.taken >= limit) {
      slots.waiting.insert(waiting);
      return false;
    }
    ++slots.taken;
    return true;
  }

  // Who should try again.
  std::vector<kube::ObjectKey> leave(const kube::ObjectKey& agent) {
    const MutexLock lock(mutex_);
    const auto found = slots_.find(agent);
    if (found == slots_.end()) return {};
    const std::set<kube::ObjectKey> waiting = std::exchange(found->second.waiting, {});
    if (--found->second.taken <= 0) slots_.erase(found);
    return {waiting.begin(), waiting.end()};
  }

 private:
  struct Slots {
    int taken = 0;
    std::set<kube::ObjectKey> waiting;
  };
  Mutex mutex_;
  std::map<kube::ObjectKey, Slots> slots_ GUARDED_BY(mutex_);
};

}  // namespace convoke::dispatch
