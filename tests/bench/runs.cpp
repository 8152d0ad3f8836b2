#include "tests/bench/runs.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "controller/runtime/reflector.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"
#include "tests/bench/agents.h"

namespace convoke::bench {
namespace {

// Watches runs until they have ended: remembers when each did, and counts the writes of all.
class RunWatch final : public runtime::ReflectorSink {
 public:
  RunWatch(Clock& clock, std::string prefix) : clock_(clock), prefix_(std::move(prefix)) {}
  void begin_replace() override {}
  void add_to_replace(const Json& object) override { apply(object); }
  void finish_replace(const std::string&) override {}
  void remove(const Json&) override {}
  void apply(const Json& object) override {
    const std::string name = object["metadata"]["name"];
    if (name.rfind(prefix_, 0) != 0) return;
    const auto phase = object.contains("status") ? object["status"].value("phase", "") : "";
    const auto now = clock_.monotonic_now();
    const std::size_t bytes = object.dump().size();
    MutexLock lock(mutex_);
    ++writes_;
    largest_bytes_ = std::max(largest_bytes_, bytes);
    if (phase != "Succeeded" && phase != "Failed") return;
    if (ended_.emplace(name, now).second && phase == "Failed") ++failed_;
  }
  std::size_t count_ended() const {
    MutexLock lock(mutex_);
    return ended_.size();
  }
  std::map<std::string, MonotonicTime> ended() const {
    MutexLock lock(mutex_);
    return ended_;
  }
  int failed() const {
    MutexLock lock(mutex_);
    return failed_;
  }
  // Of an object as the API server keeps it, managed fields included.
  std::size_t largest_bytes() const {
    MutexLock lock(mutex_);
    return largest_bytes_;
  }
  // Creations among them.
  long writes() const {
    MutexLock lock(mutex_);
    return writes_;
  }

 private:
  Clock& clock_;
  const std::string prefix_;
  mutable Mutex mutex_;
  std::map<std::string, MonotonicTime> ended_ GUARDED_BY(mutex_);
  int failed_ GUARDED_BY(mutex_) = 0;
  long writes_ GUARDED_BY(mutex_) = 0;
  std::size_t largest_bytes_ GUARDED_BY(mutex_) = 0;
};

// And waits until the operator has accepted it, so that no run waits for that.
void make_workflow(World& world, const Shape& shape) {
  const kube::ObjectKey key{kNamespace, shape.workflow};
  const Json workflow = {{"metadata", {{"name", key.name}, {"namespace", key.namespace_}}},
                         {"spec", shape.spec}};
  const auto created = world.client->create(api::kWorkflow, workflow);
  if (!created && created.error().code != ErrorCode::AlreadyExists) fail(created.error().describe());
  StopSignal never(world.clock);
  const auto deadline = world.clock.monotonic_now() + std::chrono::minutes(1);
  while (must(world.client->get(api::kWorkflow, key), "reading the Workflow")["status"].value("phase", "") !=
         "Ready") {
    if (world.clock.monotonic_now() > deadline) fail("the Workflow was not accepted within a minute");
    never.sleep_for(std::chrono::milliseconds(50));
  }
}

Json run_manifest(const std::string& name, const std::string& workflow) {
  return {{"metadata", {{"name", name}, {"namespace", kNamespace}}}, {"spec", {{"workflowName", workflow}}}};
}

void wait_for_end(World& world, const RunWatch& watch, const RunLoad& load) {
  StopSignal never(world.clock);
  const auto deadline = world.clock.monotonic_now() + load.longest;
  while (watch.count_ended() < static_cast<std::size_t>(load.count)) {
    if (world.clock.monotonic_now() > deadline)
      fail("of " + std::to_string(load.count) + " runs " + std::to_string(watch.count_ended()) +
           " ended in time");
    never.sleep_for(std::chrono::milliseconds(5));
  }
}

Json latencies(const std::vector<double>& to_assigned, const std::vector<double>& to_finished) {
  return {{"create_to_assigned_p50_ms", 1000 * percentile(to_assigned, 0.5)},
          {"create_to_assigned_p99_ms", 1000 * percentile(to_assigned, 0.99)},
          {"create_to_finished_p50_ms", 1000 * percentile(to_finished, 0.5)},
          {"create_to_finished_p99_ms", 1000 * percentile(to_finished, 0.99)}};
}

}  // namespace

Json measure_runs(World& world, const Shape& shape, const RunLoad& load) {
  make_workflow(world, shape);
  Agents agents(world, load.agents, load.capacity);
  agents.start();
  auto sink = std::make_unique<RunWatch>(world.clock, load.prefix);
  auto* watch = sink.get();
  runtime::Reflector reflector(*world.client, world.clock, *world.random, Logger{},
                               {api::kWorkflowRun, kNamespace}, std::move(sink));
  reflector.start();
  if (!reflector.wait_synced(std::chrono::seconds(60))) fail("the watch of WorkflowRuns did not start");

  std::vector<MonotonicTime> created(static_cast<std::size_t>(load.count));
  const auto name = [&](std::size_t i) { return load.prefix + std::to_string(i); };
  const auto start = world.clock.monotonic_now();
  paced_for(world.clock, load.count, load.rate, kClientThreads, [&](int number) {
    const auto i = static_cast<std::size_t>(number);
    created[i] = world.clock.monotonic_now();
    (void)must(world.client->create(api::kWorkflowRun, run_manifest(name(i), shape.workflow)),
               "creating a WorkflowRun");
  });
  wait_for_end(world, *watch, load);
  const auto took = seconds(world.clock.monotonic_now() - start);

  const auto assigned = agents.first_assignments();
  const auto ended = watch->ended();
  std::vector<double> to_assigned, to_finished;
  for (std::size_t i = 0; i < created.size(); ++i) {
    const auto first = assigned.find(name(i));
    if (first != assigned.end()) to_assigned.push_back(seconds(first->second - created[i]));
    to_finished.push_back(seconds(ended.at(name(i)) - created[i]));
  }
  reflector.stop();
  Json result = latencies(to_assigned, to_finished);
  result["runs"] = load.count;
  result["tasks"] = static_cast<long>(load.count) * shape.tasks;
  result["failed"] = watch->failed();
  result["took_s"] = took;
  result["runs_per_s"] = load.count / took;
  result["run_status_writes"] = watch->writes() - load.count;
  result["largest_run_bytes"] = watch->largest_bytes();
  result["agent_writes"] = agents.writes();
  result["agent_writes_refused"] = agents.refused();
  return result;
}

}  // namespace convoke::bench
