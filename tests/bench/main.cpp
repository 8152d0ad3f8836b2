// convoke-bench: one measurement a call, as one JSON object on standard output. hack/bench calls it; see
// there.

#include <iostream>

#include <CLI/CLI.hpp>

#include "reconcilers/api/task.h"
#include "tests/bench/agents.h"
#include "tests/bench/load.h"
#include "tests/bench/locks.h"
#include "tests/bench/runs.h"
#include "tests/bench/shape.h"
#include "tests/bench/subtasks.h"

namespace convoke::bench {
namespace {

constexpr int kSubtasks = 10;

Json task_manifest(const std::string& name, const std::string& capability) {
  return {{"metadata", {{"name", name}, {"namespace", kNamespace}}},
          {"spec",
           {{"type", "bench"},
            {"title", "A Task of the benchmark"},
            {"requires", {{"capabilities", {capability}}}},
            {"parameters", {{"image", "registry.example/app:1.2.3"}, {"replicas", 3}, {"verbose", false}}}}}};
}

// What the API server takes from this client library with nobody else at work.
Json measure_ceiling(World& world, int count) {
  auto name = [](int i) { return "ceiling-" + std::to_string(i); };
  auto start = world.clock.monotonic_now();
  parallel_for(world.clock, count, kClientThreads, [&](int i) {
    (void)must(world.client->create(api::kTask, task_manifest(name(i), "none")), "creating a Task");
  });
  const double creates = count / seconds(world.clock.monotonic_now() - start);
  start = world.clock.monotonic_now();
  kube::PatchOptions options;
  options.subresource = "status";
  parallel_for(world.clock, count, kClientThreads, [&](int i) {
    const Json patch = {{"status", {{"phase", "Queued"}, {"reason", "NoEligibleAgent"}}}};
    (void)must(world.client->patch(api::kTask, {kNamespace, name(i)}, patch, options), "patching a status");
  });
  const double patches = count / seconds(world.clock.monotonic_now() - start);
  parallel_for(world.clock, count, kClientThreads, [&](int i) {
    (void)world.client->remove(api::kTask, {kNamespace, name(i)});
  });
  return {{"creates_per_s", creates}, {"status_patches_per_s", patches}};
}

// Tasks that no agent fits: they stay Queued, and are there to be remembered.
Json make_tasks(World& world, int from, int to) {
  parallel_for(world.clock, to - from, kClientThreads, [&](int i) {
    (void)must(world.client->create(api::kTask,
                                    task_manifest("idle-" + std::to_string(from + i), "nobody-has-this")),
               "creating a Task");
  });
  return {{"created", to - from}};
}

}  // namespace
}  // namespace convoke::bench

int main(int argc, char** argv) {
  using namespace convoke::bench;
  CLI::App app("Puts load on the API server of the kubeconfig and prints what it measured as JSON");
  app.require_subcommand(1);
  int count = 1000, from = 0, to = 1000, locks = 1, size = 1, parallelism = 10, longest_s = 300;
  std::string prefix = "run-", shape = "chain";
  RunLoad load;
  auto* ceiling = app.add_subcommand("ceiling", "creates and status patches per second");
  ceiling->add_option("--count", count);
  auto* tasks = app.add_subcommand("tasks", "creates Tasks that no agent fits");
  tasks->add_option("--from", from);
  tasks->add_option("--to", to);
  auto* runs = app.add_subcommand("runs", "WorkflowRuns with simulated agents");
  runs->add_option("--count", load.count);
  runs->add_option("--rate", load.rate, "runs per second; 0: as fast as possible");
  runs->add_option("--agents", load.agents);
  runs->add_option("--capacity", load.capacity, "of each agent");
  runs->add_option("--prefix", load.prefix, "of the runs' names")->required();
  runs->add_option("--shape", shape, "chain, fan-out or graph");
  runs->add_option("--size", size, "steps of the chain or graph, items of the fan-out");
  runs->add_option("--parallelism", parallelism, "Tasks of one run at once");
  runs->add_option("--longest", longest_s, "seconds after which it gives up");
  auto* turns = app.add_subcommand("locks", "Tasks that take turns at locks, with simulated agents");
  turns->add_option("--count", count);
  turns->add_option("--locks", locks);
  turns->add_option("--prefix", prefix, "of the Tasks' names");
  auto* distributed = app.add_subcommand("subtasks", "Tasks with ten subtasks, with simulated agents");
  distributed->add_option("--count", count);
  distributed->add_option("--prefix", prefix, "of the Tasks' names");
  CLI11_PARSE(app, argc, argv);

  load.longest = std::chrono::seconds(longest_s);
  auto world = connect();
  convoke::Json result;
  if (ceiling->parsed()) result = measure_ceiling(*world, count);
  if (tasks->parsed()) result = make_tasks(*world, from, to);
  if (runs->parsed()) result = measure_runs(*world, make_shape(shape, size, parallelism), load);
  if (turns->parsed()) result = measure_locks(*world, count, locks, prefix);
  if (distributed->parsed()) result = measure_subtasks(*world, count, kSubtasks, prefix);
  std::cout << result.dump() << std::endl;
  return 0;
}
