// What a decision of the scheduler costs while many Tasks wait: one Task ends, its agent's place goes to the
// most urgent of the others, and a new Task queues up behind them. The time of one round is the time of one
// decision with the news around it; it must not grow with the queue, whatever the strategy, with a rule or
// without.
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
  // Of no workflow at all, or of so many.
  explicit Load(int waiting, api::Strategy strategy = api::Strategy::CapabilityMatch, std::string rule = "",
                int workflows = 0)
      : strategy_(strategy), rule_(std::move(rule)), workflows_(workflows) {
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
    agent.meta.labels = {{"zone", "zone-" + std::to_string(number % 3)}};
    agent.spec.cost = {0.001 * (number % 7), 0.01 * (number % 5)};
    for (int i = 0; i < 2; ++i) {
      const Duration mean = std::chrono::milliseconds(100 + number * 37 % 5000);
      agent.status.statistics.push_back({capability(number + i), 50, 1 - 0.01 * (number % 30), mean, mean});
    }
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
    task.spec.strategy = strategy_;
    task.spec.requires_.rule = rule_;
    task.spec.parameters = R"({"zones":["zone-0","zone-1"],"file":"file-)" + std::to_string(number) + "\"}";
    if (workflows_ > 0) {
      task.meta.labels[api::label::kWorkflow] = "workflow-" + std::to_string(number / 7 % workflows_);
    }
    return task;
  }

  const api::Strategy strategy_;
  const std::string rule_;
  const int workflows_;
  fakes::FakeClock clock_;
  prometheus::Registry registry_;
  TaskMetrics metrics_{registry_};
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  Scheduler scheduler_{clock_, metrics_, *random_};
  int version_ = 0;
  int next_task_ = 0;
  std::deque<std::string> matched_, running_;
};

void decision(benchmark::State& state, api::Strategy strategy, const char* rule) {
  Load load(static_cast<int>(state.range(0)), strategy, rule);
  for (auto _ : state) load.one_decision();
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(500)->Arg(5000)->Arg(50000)->Unit(benchmark::kMicrosecond);
}

constexpr char kZone[] = "agent.metadata.labels['zone'] in task.spec.parameters.zones";

BENCHMARK_CAPTURE(decision, CapabilityMatch, api::Strategy::CapabilityMatch, "")->Apply(sizes);
BENCHMARK_CAPTURE(decision, RoundRobin, api::Strategy::RoundRobin, "")->Apply(sizes);
BENCHMARK_CAPTURE(decision, LeastLoaded, api::Strategy::LeastLoaded, "")->Apply(sizes);
BENCHMARK_CAPTURE(decision, Random, api::Strategy::Random, "")->Apply(sizes);
BENCHMARK_CAPTURE(decision, PerformanceBased, api::Strategy::PerformanceBased, "")->Apply(sizes);
BENCHMARK_CAPTURE(decision, CostOptimized, api::Strategy::CostOptimized, "")->Apply(sizes);
BENCHMARK_CAPTURE(decision, rule, api::Strategy::CapabilityMatch, kZone)->Apply(sizes);

// A hundred workflows that take turns.
void turns(benchmark::State& state) {
  Load load(static_cast<int>(state.range(0)), api::Strategy::CapabilityMatch, "", 100);
  for (auto _ : state) load.one_decision();
}
BENCHMARK(turns)->Name("decision/workflows")->Arg(500)->Arg(5000)->Arg(50000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace convoke::task

BENCHMARK_MAIN();
