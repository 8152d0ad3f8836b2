// What was brought to agents, is not wanted any more and has still to be told so. Each has a key of its own
// in the work queue, beside its Task's, so that neither the next assignment nor a successor of the same name
// waits for an agent that does not answer.
//
// An agent that is deleted, or gets another mode or another address, cannot be asked any more to stop what it
// was brought before: its version of then is kept with it. Only this process knows of that version, and only
// if it saw the change: after a restart the work goes on until its own timeout.
//
// Thread safety: all methods from every thread. Errors: none.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "controller/kube/object.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"

namespace convoke::dispatch {

class StopList {
 public:
  using TaskPtr = std::shared_ptr<const api::Task>;
  using AgentPtr = std::shared_ptr<const api::Agent>;
  struct Order {
    TaskPtr task;     // as it was added
    AgentPtr former;  // its agent as it was; null: only the present one is known
  };

  // Of what `task.status.dispatch` names; no object can have such a name.
  static kube::ObjectKey key_of(const api::Task& task);
  static bool is_key(const kube::ObjectKey& key);

  // False if it is there already, over or not.
  bool add(const api::Task& task);
  // `agent`, a service, is not as it was any more: what was brought to it is told so there as well. That is
  // what is to be stopped already, and `tasks`, should they have to be stopped one day.
  void keep_agent(const AgentPtr& agent, const std::vector<TaskPtr>& tasks);
  // None if there is none, or if it is over.
  std::optional<Order> get(const kube::ObjectKey& key) const;
  // It was told so, or in vain so often that this is given up.
  bool is_over(const api::Task& task) const;
  // After a try. None: it is over now; otherwise when to try again.
  std::optional<Duration> tried(const kube::ObjectKey& key, bool done);
  // Forgets those of that Task that are over, or that nobody asked for, and are not what `task` (null: it is
  // gone) still names.
  void sweep(const kube::ObjectKey& task_key, const api::Task* task);

 private:
  struct Stop {
    TaskPtr task;     // null: only its agent is kept, in case that it is to be stopped
    AgentPtr former;  // the oldest that is known
    int tries = 0;
    bool is_over = false;
  };
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Stop> stops_ GUARDED_BY(mutex_);
};

}  // namespace convoke::dispatch
