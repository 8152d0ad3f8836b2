#include "programs/runner/runner.h"

#include <algorithm>

#include "controller/base/time_format.h"
#include "controller/runtime/jittered_backoff.h"
#include "programs/runner/live_tasks.h"
#include "reconcilers/api/agent.h"

namespace convoke::runner {

namespace {

using namespace std::chrono_literals;

constexpr int kWorkers = 4;
constexpr Duration kTimeToReport = 10s;  // for the outcomes of commands that were killed at shutdown
constexpr Duration kTimeForWorkers = 5s;

runtime::ControllerOptions controller_options() {
  runtime::ControllerOptions options{"runner", kWorkers};
  // An outcome waits at most this long after the API server is back.
  options.backoff = {50ms, 5s};
  return options;
}

Json agent_manifest(const RunnerConfig& config) {
  Json spec = {{"capabilities", config.capabilities},
               {"capacity", config.capacity},
               {"heartbeat",
                {{"interval", format_duration(config.heartbeat_interval)},
                 {"timeout", format_duration(config.heartbeat_timeout)}}}};
  if (!config.type.empty()) spec["type"] = config.type;
  Json metadata = {{"name", config.name}, {"namespace", config.namespace_}};
  if (!config.labels.empty()) metadata["labels"] = config.labels;
  return {{"metadata", std::move(metadata)}, {"spec", std::move(spec)}};
}

HeartbeatOptions heartbeat_options(const RunnerConfig& config, Random& random) {
  return {{config.namespace_, config.name},
          config.name + "_" + random.hex(4),
          config.heartbeat_interval,
          config.heartbeat_timeout};
}

}  // namespace

Runner::Runner(RunnerParts parts)
    : parts_(parts),
      config_(parts.workshop.config),
      log_(parts.log.with({{"agent", config_.name}})),
      stop_(parts.clock),
      heartbeat_(parts.heartbeat_client, parts.clock, log_, heartbeat_options(config_, parts.random),
                 [this](const std::string&) { end(End::Deposed); }),
      reporter_(parts.client, tasks_),
      executions_(parts.clock),
      reconciler_({parts.workshop, tasks_, executions_, reporter_, parts.journal, parts.clock, log_,
                   [this] { return heartbeat_.is_lost(); },
                   [this](const kube::ObjectKey& key) { controller_.queue().add(key); }}),
      controller_(controller_options(), reconciler_, parts.clock, log_, metrics_),
      reflector_(parts.client, parts.clock, parts.random, log_,
                 {api::kTask, config_.namespace_, "", "status.agentName=" + config_.name},
                 std::make_unique<LiveTaskSink>(tasks_)),
      ended_(parts.clock.make_condition()) {
  tasks_.add_handler([this](const runtime::Store<api::Task>::Change& change) {
    controller_.queue().add((change.after ? change.after : change.before)->meta.key());
  });
}

Runner::~Runner() {
  reflector_.stop();
  heartbeat_.stop();
  controller_.stop(1h);  // the workers end as soon as their requests do
  executions_.clear();
}

Status Runner::run() {
  if (auto registered = register_agent(); !registered) return registered;
  if (!heartbeat_.acquire()) return {};
  watch_tasks();
  wait_for_end();
  drain();
  controller_.stop(kTimeForWorkers);
  reflector_.stop();
  heartbeat_.stop();
  if (deposed())
    return {ErrorCode::Conflict,
            "agent " + config_.name + " is another process now: this one has ended its work"};
  heartbeat_.release();
  log_.info("stopped");
  return {};
}

void Runner::request_stop() {
  log_.info("asked to stop");
  end(End::Stop);
  stop_.stop();
  // While the Lease is still waited for, nothing else would end the wait; later on it must be renewed until
  // the end.
  heartbeat_.stop_waiting();
}

// Until it is there: the CRDs, roles and namespace of a new cluster may come a moment later.
Status Runner::register_agent() {
  runtime::JitteredBackoff backoff(parts_.random, 200ms, 10s);
  std::string last_failure;
  while (!stop_.stopped()) {
    const auto registered = try_register();
    if (registered) {
      log_.info(*registered ? "registered a new Agent" : "the Agent exists",
                {{"namespace", config_.namespace_}});
      return {};
    }
    if (registered.error().code == ErrorCode::Invalid) return registered.error();
    const auto failure = registered.error().describe();
    if (failure != last_failure) log_.warn("the Agent cannot be registered yet", {{"error", failure}});
    last_failure = failure;
    stop_.sleep_for(std::max(backoff.next(), registered.error().retry_after.value_or(0s)));
  }
  return {};
}

// True if it is new. An Agent that exists is what people want it to be: it is not changed.
Result<bool> Runner::try_register() {
  const auto existing = parts_.client.get(api::kAgent, {config_.namespace_, config_.name});
  if (existing) return false;
  if (existing.error().code != ErrorCode::NotFound) return existing.error();
  const auto created = parts_.client.create(api::kAgent, agent_manifest(config_));
  if (created) return true;
  if (created.error().code == ErrorCode::AlreadyExists) return false;
  return created.error();
}

void Runner::watch_tasks() {
  heartbeat_.start();
  controller_.start();
  reflector_.start();
  log_.info("ready for Tasks", {{"namespace", config_.namespace_}, {"capacity", config_.capacity}});
}

void Runner::wait_for_end() {
  MutexLock lock(mutex_);
  while (end_ == End::None) ended_->wait(mutex_);
}

// Deposed weighs more than stopped.
void Runner::end(End how) {
  {
    MutexLock lock(mutex_);
    end_ = std::max(end_, how);
    ended_->notify_all();
  }
  enter(how == End::Deposed ? Mode::Deposed : Mode::Draining);
}

bool Runner::deposed() {
  MutexLock lock(mutex_);
  return end_ == End::Deposed;
}

void Runner::drain() {
  if (const int active = executions_.active(); active > 0)
    log_.info("waiting for running commands", {{"commands", active}, {"atMost", config_.drain}});
  if (executions_.wait_idle(config_.drain)) return;
  log_.warn("ending the commands that still run", {{"commands", executions_.active()}});
  enter(Mode::Stopping);
  if (!executions_.wait_idle(config_.kill_after + kTimeToReport))
    log_.error("some outcomes could not be reported", {{"commands", executions_.active()}});
}

void Runner::enter(Mode mode) {
  reconciler_.advance_to(mode);
  for (const auto& key : executions_.keys()) controller_.queue().add(key);
  for (const auto& task : tasks_.list()) controller_.queue().add(task->meta.key());
}

}  // namespace convoke::runner
