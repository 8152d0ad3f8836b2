// convoke-bench: one measurement a call, as one JSON object on standard output. hack/bench calls it; see
// there.

#include <iostream>

#include <CLI/CLI.hpp>

#include "reconcilers/api/workflow_run.h"
#include "tests/bench/agents.h"
#include "tests/bench/load.h"
#include "tests/bench/locks.h"
#include "tests/bench/subtasks.h"

namespace convoke::bench {
namespace {

constexpr int kSubtasks = 10;

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

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

Json run_manifest(const std::string& name) {
  return {{"metadata", {{"name", name}, {"namespace", kNamespace}}}, {"spec", {{"workflowName", "bench"}}}};
}

void make_workflow(World& world) {
  const Json step = {{"name", "one"}, {"task", {{"type", "bench"}}}};
  const Json workflow = {{"metadata", {{"name", "bench"}, {"namespace", kNamespace}}},
                         {"spec",
                          {{"steps", Json::array({step})},
                           {"triggers", Json::array()},
                           {"historyLimits", {{"succeeded", 10000}, {"failed", 10000}}}}}};
  const auto created = world.client->create(api::kWorkflow, workflow);
  if (!created && created.error().code != ErrorCode::AlreadyExists) fail(created.error().describe());
}

// Watches runs until `count` of them have ended; remembers when each did.
class RunWatch final : public runtime::ReflectorSink {
 public:
  RunWatch(World& world, std::string prefix) : world_(world), prefix_(std::move(prefix)) {}
  void begin_replace() override {}
  void add_to_replace(const Json& object) override { apply(object); }
  void finish_replace(const std::string&) override {}
  void remove(const Json&) override {}
  void apply(const Json& object) override {
    const std::string name = object["metadata"]["name"];
    if (name.rfind(prefix_, 0) != 0 || !object.contains("status")) return;
    const auto phase = object["status"].value("phase", "");
    if (phase != "Succeeded" && phase != "Failed") return;
    MutexLock lock(mutex_);
    if (phase == "Failed") ++failed_;
    ended_.emplace(name, world_.clock.monotonic_now());
  }
  std::map<std::string, MonotonicTime> ended() const {
    MutexLock lock(mutex_);
    return ended_;
  }
  int failed() const {
    MutexLock lock(mutex_);
    return failed_;
  }

 private:
  World& world_;
  const std::string prefix_;
  mutable Mutex mutex_;
  std::map<std::string, MonotonicTime> ended_ GUARDED_BY(mutex_);
  int failed_ GUARDED_BY(mutex_) = 0;
};

Json summarize(const std::vector<double>& to_assigned, const std::vector<double>& to_finished) {
  return {{"create_to_assigned_p50_ms", 1000 * percentile(to_assigned, 0.5)},
          {"create_to_assigned_p99_ms", 1000 * percentile(to_assigned, 0.99)},
          {"create_to_finished_p50_ms", 1000 * percentile(to_finished, 0.5)},
          {"create_to_finished_p99_ms", 1000 * percentile(to_finished, 0.99)}};
}

// N one-step WorkflowRuns, created as fast as possible (rate 0) or at a rate, worked on by simulated agents.
Json measure_runs(World& world, int count, double rate, int agent_count, const std::string& prefix) {
  make_workflow(world);
  Agents agents(world, agent_count, 50);
  agents.start();
  auto sink = std::make_unique<RunWatch>(world, prefix);
  auto* watch = sink.get();
  runtime::Reflector reflector(*world.client, world.clock, *world.random, Logger{},
                               {api::kWorkflowRun, kNamespace}, std::move(sink));
  reflector.start();
  if (!reflector.wait_synced(std::chrono::seconds(60))) fail("the watch of WorkflowRuns did not start");

  std::vector<MonotonicTime> created(static_cast<std::size_t>(count));
  const auto start = world.clock.monotonic_now();
  auto name = [&](int i) { return prefix + std::to_string(i); };
  paced_for(world.clock, count, rate, kClientThreads, [&](int i) {
    created[static_cast<std::size_t>(i)] = world.clock.monotonic_now();
    (void)must(world.client->create(api::kWorkflowRun, run_manifest(name(i))), "creating a WorkflowRun");
  });
  StopSignal never(world.clock);
  const auto deadline = world.clock.monotonic_now() + std::chrono::minutes(5);
  while (static_cast<int>(watch->ended().size()) < count) {
    if (world.clock.monotonic_now() > deadline) fail("the runs did not end within 5 minutes");
    never.sleep_for(std::chrono::milliseconds(5));
  }
  const auto took = seconds(world.clock.monotonic_now() - start);

  const auto tasks = agents.seen();
  const auto ended = watch->ended();
  std::vector<double> to_assigned, to_finished;
  for (int i = 0; i < count; ++i) {
    const auto begin = created[static_cast<std::size_t>(i)];
    const auto task = tasks.find(name(i) + "-one");
    if (task != tasks.end()) to_assigned.push_back(seconds(task->second.assigned - begin));
    to_finished.push_back(seconds(ended.at(name(i)) - begin));
  }
  reflector.stop();
  Json result = summarize(to_assigned, to_finished);
  result["runs"] = count;
  result["failed"] = watch->failed();
  result["runs_per_s"] = count / took;
  result["agent_writes"] = agents.writes();
  result["agent_writes_refused"] = agents.refused();
  return result;
}

}  // namespace
}  // namespace convoke::bench

int main(int argc, char** argv) {
  using namespace convoke::bench;
  CLI::App app("Puts load on the API server of the kubeconfig and prints what it measured as JSON");
  app.require_subcommand(1);
  int count = 1000, from = 0, to = 1000, agents = 20, locks = 1;
  double rate = 0;
  std::string prefix = "run-";
  auto* ceiling = app.add_subcommand("ceiling", "creates and status patches per second");
  ceiling->add_option("--count", count);
  auto* tasks = app.add_subcommand("tasks", "creates Tasks that no agent fits");
  tasks->add_option("--from", from);
  tasks->add_option("--to", to);
  auto* runs = app.add_subcommand("runs", "one-step WorkflowRuns with simulated agents");
  runs->add_option("--count", count);
  runs->add_option("--rate", rate, "runs per second; 0: as fast as possible");
  runs->add_option("--agents", agents);
  runs->add_option("--prefix", prefix, "of the runs' names");
  auto* turns = app.add_subcommand("locks", "Tasks that take turns at locks, with simulated agents");
  turns->add_option("--count", count);
  turns->add_option("--locks", locks);
  turns->add_option("--prefix", prefix, "of the Tasks' names");
  auto* distributed = app.add_subcommand("subtasks", "Tasks with ten subtasks, with simulated agents");
  distributed->add_option("--count", count);
  distributed->add_option("--prefix", prefix, "of the Tasks' names");
  CLI11_PARSE(app, argc, argv);

  auto world = connect();
  convoke::Json result;
  if (ceiling->parsed()) result = measure_ceiling(*world, count);
  if (tasks->parsed()) result = make_tasks(*world, from, to);
  if (runs->parsed()) result = measure_runs(*world, count, rate, agents, prefix);
  if (turns->parsed()) result = measure_locks(*world, count, locks, prefix);
  if (distributed->parsed()) result = measure_subtasks(*world, count, kSubtasks, prefix);
  std::cout << result.dump() << std::endl;
  return 0;
}
