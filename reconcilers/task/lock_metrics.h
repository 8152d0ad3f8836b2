// convoke_lock*: what happens at locks, as numbers. None of them names a lock: people choose those names.
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include "controller/base/clock.h"
#include "reconcilers/task/lock_decide.h"

namespace prometheus {
class Registry;
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace convoke::task {

class LockMetrics {
 public:
  explicit LockMetrics(prometheus::Registry& registry);

  void granted();
  // A Task has all of its locks, that long after it was seen to want an agent.
  void waited(Duration time);
  void freed(LockDecision::Why why, std::size_t holders);
  // A lock that was held is not, or the other way round: +1 or -1.
  void held(int change);

 private:
  prometheus::Counter& grants_;
  prometheus::Histogram& wait_;
  prometheus::Counter& released_;
  prometheus::Counter& broken_;
  prometheus::Counter& expired_;
  prometheus::Gauge& held_;
};

}  // namespace convoke::task
