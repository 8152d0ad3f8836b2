// Threads that carry out the handlers of requests.
//
// Thread safety: add() from every thread. The destructor carries out what was added, and ends the threads.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"

namespace convoke::serve {

class RequestWorkers {
 public:
  RequestWorkers(Clock& clock, int threads);
  ~RequestWorkers();

  // As many may wait as there are connections: the caller bounds them.
  void add(std::function<void()> job);

 private:
  void work();

  Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mutex_);
  bool ending_ GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace convoke::serve
