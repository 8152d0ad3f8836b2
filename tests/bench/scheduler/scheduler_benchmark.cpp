// What a decision of the scheduler costs while many Tasks wait: one Task ends, its agent's place goes to the
// most urgent of the others, and a new Task queues up behind them. The time of one round is the time of one
// decision with the news around it; it must not grow with the queue.
#include <deque>
#include <string>

#include <benchmark/benchmark.h>
#include <prometheus/registry.h>

#include "controller/base/time_format.h"
#include "controller/runtime/work_queue.h"
#include "reconcilers/task/scheduler.h"
#include "reconcilers/task/task_metrics.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::task {
namespace {

constexpr int kAgents = 1000;
constexpr int kCapabilities = 20;

class Load {
 public:
  explicit Load(int waiting) {
    scheduler_.set_listener([this](const kube::ObjectKey& key, int priority) {
      if (priority == runtime::kPriorityHigh) matched_.push_back(key.name);
    });
    for (int i = 0; i < kAgents; ++i) scheduler_.upsert_agent(agent(i));
    for (int i = 0; i < waiting + kAgents; ++i) scheduler_.upsert_task(task(next_task_++));
    scheduler_.start();
    confirm_all();
  }

  void one_decision() {
    scheduler_.remove_task({"default", running_.front()}, running_.front());
    running_.pop_front();
    confirm_all();
    scheduler_.upsert_task(task(next_task_++));
  }

 private:
  // As the Tasks' own news do once their assignments are written.
  void confirm_all() {
    while (!matched_.empty()) {
      api::Task assigned = task(number_of(matched_.front()));
      assigned.status.phase = api::TaskPhase::Assigned;
      assigned.status.agent_name =
          scheduler_.outlook(assigned.meta.key(), assigned.meta.uid).reservation->agent_name;
      running_.push_back(assigned.meta.name);
      matched_.pop_front();
      scheduler_.upsert_task(assigned);
    }
  }

  static std::string capability(int number) { return "capability-" + std::to_string(number % kCapabilities); }
  static int number_of(const std::string& name) { return std::stoi(name.substr(name.find('-') + 1)); }

  api::Agent agent(int number) {
    api::Agent agent;
    agent.meta.namespace_ = "default";
    agent.meta.name = agent.meta.uid = "agent-" + std::to_string(number);
    agent.meta.resource_version = std::to_string(++version_);
    agent.spec.capacity = 1;
    agent.spec.capabilities = {capability(number), capability(number + 1)};
    agent.status.phase = api::AgentPhase::Ready;
    return agent;
  }

  api::Task task(int number) {
    api::Task task;
    task.meta.namespace_ = "default";
    task.meta.name = task.meta.uid = "task-" + std::to_string(number);
    task.meta.resource_version = std::to_string(++version_);
    task.meta.creation_timestamp = "2026-01-01T00:00:00Z";
    task.spec.type = capability(number);
    task.spec.priority = 1 + number % 5;
    return task;
  }

  fakes::FakeClock clock_;
  prometheus::Registry registry_;
  TaskMetrics metrics_{registry_};
  Scheduler scheduler_{clock_, metrics_};
  int version_ = 0;
  int next_task_ = 0;
  std::deque<std::string> matched_, running_;
};

void decision(benchmark::State& state) {
  Load load(static_cast<int>(state.range(0)));
  for (auto _ : state) load.one_decision();
}
BENCHMARK(decision)->Name("decision/waiting")->Arg(500)->Arg(5000)->Arg(50000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace convoke::task

BENCHMARK_MAIN();
