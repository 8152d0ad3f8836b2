// Simulated agents in one process: they speak the Pull protocol (heartbeat Leases, a JSON Patch with `test`)
// and finish every Task at once. One watch serves all of them.
//
// Thread safety: the counters may be read from every thread.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/runtime/reflector.h"
#include "reconcilers/api/task.h"
#include "tests/bench/load.h"

namespace convoke::bench {

class Agents {
 public:
  Agents(World& world, int count, int capacity);
  ~Agents();

  // Makes sure of the Agents and their Leases, which other phases may have left there, and starts to work.
  void start();
  // Monotonic times at which the watch showed a Task first Assigned and then Succeeded; zero for not yet.
  struct Seen {
    MonotonicTime assigned{};
    MonotonicTime finished{};
  };
  Seen seen(const std::string& task) const;
  // When each run, by its name, was first seen to have an assigned Task.
  std::map<std::string, MonotonicTime> first_assignments() const;
  int finished() const { return finished_; }
  long writes() const { return writes_; }
  long refused() const { return refused_; }

 private:
  class Sink;
  void register_agent(int number);
  void renew_lease(int number);
  void renew_leases();
  void on_task(const Json& object);
  void work();
  void report(const api::Task& task);

  World& world_;
  const int count_;
  const int capacity_;
  StopSignal stop_;
  std::atomic<int> finished_{0};
  std::atomic<long> writes_{0};
  std::atomic<long> refused_{0};

  mutable Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  std::deque<std::shared_ptr<const api::Task>> waiting_ GUARDED_BY(mutex_);
  std::map<std::string, Seen> seen_ GUARDED_BY(mutex_);
  std::map<std::string, MonotonicTime> first_assignments_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;

  std::unique_ptr<runtime::Reflector> reflector_;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace convoke::bench
