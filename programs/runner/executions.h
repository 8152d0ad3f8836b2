// All that this process has in hand, by Task, and the assignments that it has put away.
//
// Thread safety: all methods from every thread. Ownership: the Executions are destroyed before what they run
// with.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "programs/runner/decide.h"
#include "programs/runner/execution.h"

namespace convoke::runner {

class Executions {
 public:
  explicit Executions(Clock& clock);

  struct Plan {
    RunnerDecision decision;
    std::shared_ptr<Execution> execution;  // null if there is none
  };
  // Decides about one Task, and if the decision is to claim it, enters an execution in the same breath: no
  // place is given away twice. `facts` comes without `active` and `put_away`, which are known here.
  Plan plan(const kube::ObjectKey& key, const std::shared_ptr<const api::Task>& task, RunnerFacts facts);

  // Takes the execution out and remembers its assignment as put away. Joins a command's supervisor.
  void forget(const kube::ObjectKey& key);

  // Kills what still runs and waits for it.
  void clear();

  std::vector<kube::ObjectKey> keys() const;
  int active() const;
  // To be called when an execution has moved on.
  void moved();
  // False if something was still active at the end of `timeout`.
  bool wait_idle(Duration timeout);

 private:
  int count_active() const REQUIRES(mutex_);
  void put_away(const std::string& assignment_id) REQUIRES(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::unique_ptr<Condition> moved_;
  std::map<kube::ObjectKey, std::shared_ptr<Execution>> by_task_ GUARDED_BY(mutex_);
  std::unordered_set<std::string> put_away_ GUARDED_BY(mutex_);
  std::deque<std::string> put_away_order_ GUARDED_BY(mutex_);
};

}  // namespace convoke::runner
