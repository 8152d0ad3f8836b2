// convoke_task*, convoke_agent_attempt* and convoke_scheduler_*: what happens to Tasks, as numbers. Series
// whose labels people choose are bounded (bounded_series.h); all others exist from the start, at 0.
//
// What waits, and for how long, is waiting_metrics.h.
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"

namespace prometheus {
class Registry;
}

namespace convoke::task {

class TaskMetrics {
 public:
  // How many Task types, agent types and agents get series of their own.
  static constexpr std::size_t kMaxTaskTypes = 20;
  static constexpr std::size_t kMaxAgentTypes = 20;
  static constexpr std::size_t kMaxAgents = 100;

  explicit TaskMetrics(prometheus::Registry& registry);
  ~TaskMetrics();

  // An object came (no `before`), changed or went (no `after`).
  void task_changed(const api::Task* before, const api::Task* after);
  void agent_changed(const api::Agent* before, const api::Agent* after);

  // `after` was written over `before`.
  void finished(const api::TaskStatus& before, const api::TaskStatus& after);
  // `agent` carried it out, or should have; null if there is no such agent any more.
  void attempt_ended(const api::Task& task, const api::AttemptRecord& attempt, const api::Agent* agent);
  // The Task was given to an agent that long after it was first seen to want one.
  void assigned(const api::Task& task, Duration after);

  void matched(Duration after);
  void scheduler_waiting(std::size_t tasks, std::size_t for_locks);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::task
