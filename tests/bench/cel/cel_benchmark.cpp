// How long it takes to compile and to evaluate expressions. hack/bench runs it.

#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>

#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/program_cache.h"

namespace convoke::cel {
namespace {

constexpr const char* kRule = "agent.spec.capacity > 4 && 'gpu' in agent.spec.capabilities";

const Json& agent() {
  static const Json agent = {
      {"metadata", {{"name", "builder-1"}, {"labels", {{"zone", "a"}, {"team", "blue"}}}}},
      {"spec", {{"capacity", 10}, {"capabilities", {"compile", "unit-test", "gpu"}}, {"type", "builder"}}},
      {"status", {{"completedTasks", 3}, {"successRate", 0.93}, {"circuit", "Closed"}}}};
  return agent;
}

const Json& task() {
  static const Json task = {{"metadata", {{"name", "task-1"}, {"namespace", "default"}}},
                            {"spec",
                             {{"type", "review"},
                              {"priority", 4},
                              {"parameters", {{"files", Json::array()}, {"image", "app:1.2"}}}}}};
  return task;
}

void compile(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(Program::compile(kRule));
  }
}
BENCHMARK(compile);

void look_up_in_cache(benchmark::State& state) {
  ProgramCache cache;
  const std::string source = kRule;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.get(source));
  }
}
BENCHMARK(look_up_in_cache);

void evaluate(benchmark::State& state, const char* source) {
  const auto program = Program::compile(source);
  Variables variables;
  variables.set("agent", agent());
  variables.set("task", task());
  if (!program || !(*program)->evaluate_bool(variables)) {
    state.SkipWithError("the expression fails");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize((*program)->evaluate_bool(variables));
  }
}
BENCHMARK_CAPTURE(evaluate, typical_rule, kRule);
BENCHMARK_CAPTURE(
    evaluate, rule_with_task,
    "task.spec.priority > 4 || agent.metadata.labels.zone == 'a' && agent.status.completedTasks < 5");
BENCHMARK_CAPTURE(evaluate, text, "task.spec.parameters.image.matches('^app:[0-9.]+$')");
BENCHMARK_CAPTURE(evaluate, macro,
                  "agent.spec.capabilities.exists(c, c.startsWith('unit')) && has(task.spec.type)");

}  // namespace
}  // namespace convoke::cel

BENCHMARK_MAIN();
