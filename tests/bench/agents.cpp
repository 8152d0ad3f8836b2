#include "tests/bench/agents.h"

#include "controller/base/time_format.h"
#include "controller/kube/lease.h"
#include "reconcilers/api/agent.h"

namespace convoke::bench {

namespace {

std::string agent_name(int number) {
  return "bench-" + std::to_string(number);
}

// The name of the run that the Task is a step of; empty if it is none.
std::string run_of(const Json& metadata) {
  const auto labels = metadata.find("labels");
  return labels == metadata.end() ? "" : labels->value(api::label::kRun, "");
}

Json report_patch(const api::Task& task, const char* state, const std::string& started, bool final) {
  Json report = {{"assignmentID", task.status.assignment.id}, {"state", state}, {"startedAt", started}};
  if (final) {
    report["progress"] = 100;
    report["finishedAt"] = started;
    report["outputs"] = {{"result", "ok"}};
  }
  return Json::array(
      {{{"op", "test"}, {"path", "/status/assignment/id"}, {"value", task.status.assignment.id}},
       {{"op", "add"}, {"path", "/status/report"}, {"value", std::move(report)}}});
}

}  // namespace

class Agents::Sink final : public runtime::ReflectorSink {
 public:
  explicit Sink(Agents& agents) : agents_(agents) {}
  void begin_replace() override {}
  void add_to_replace(const Json& object) override { agents_.on_task(object); }
  void finish_replace(const std::string&) override {}
  void apply(const Json& object) override { agents_.on_task(object); }
  void remove(const Json&) override {}

 private:
  Agents& agents_;
};

Agents::Agents(World& world, int count, int capacity)
    : world_(world),
      count_(count),
      capacity_(capacity),
      stop_(world.clock),
      changed_(world.clock.make_condition()) {}

Agents::~Agents() {
  stop_.stop();
  if (reflector_) reflector_->stop();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_->notify_all();
}

void Agents::start() {
  parallel_for(world_.clock, count_, 16, [this](int i) { register_agent(i); });
  threads_.push_back(world_.clock.start_thread("bench-leases", [this] { renew_leases(); }));
  for (int i = 0; i < kClientThreads; ++i)
    threads_.push_back(world_.clock.start_thread("bench-agent", [this] { work(); }));
  reflector_ = std::make_unique<runtime::Reflector>(*world_.client, world_.clock, *world_.random, Logger{},
                                                    runtime::ReflectorSource{api::kTask, kNamespace},
                                                    std::make_unique<Sink>(*this));
  reflector_->start();
  if (!reflector_->wait_synced(std::chrono::seconds(60))) fail("the agents' watch of Tasks did not start");
}

Agents::Seen Agents::seen(const std::string& task) const {
  MutexLock lock(mutex_);
  const auto found = seen_.find(task);
  return found == seen_.end() ? Seen() : found->second;
}

std::map<std::string, MonotonicTime> Agents::first_assignments() const {
  MutexLock lock(mutex_);
  return first_assignments_;
}

void Agents::register_agent(int number) {
  const auto name = agent_name(number);
  auto& client = *world_.client;
  const Json spec = {{"type", "bench"}, {"capabilities", {"bench"}}, {"capacity", capacity_}};
  const auto agent =
      client.create(api::kAgent, {{"metadata", {{"name", name}, {"namespace", kNamespace}}}, {"spec", spec}});
  if (!agent && agent.error().code != ErrorCode::AlreadyExists)
    fail("creating an Agent: " + agent.error().describe());
  if (!agent)
    (void)must(client.patch(api::kAgent, {kNamespace, name}, {{"spec", spec}}, {}), "changing an Agent");
  const auto now = format_micro_time(world_.clock.wall_now());
  const auto lease = client.create(
      kube::kLease,
      {{"metadata",
        {{"name", api::heartbeat_lease_name(name)},
         {"namespace", kNamespace},
         {"labels", {{api::label::kAgent, name}}}}},
       {"spec",
        {{"holderIdentity", name}, {"leaseDurationSeconds", 90}, {"renewTime", now}, {"acquireTime", now}}}});
  if (!lease && lease.error().code != ErrorCode::AlreadyExists)
    fail("creating a Lease: " + lease.error().describe());
  if (!lease) renew_lease(number);
}

void Agents::renew_lease(int number) {
  const Json patch = {{"spec", {{"renewTime", format_micro_time(world_.clock.wall_now())}}}};
  const kube::ObjectKey key{kNamespace, api::heartbeat_lease_name(agent_name(number))};
  (void)world_.client->patch(kube::kLease, key, patch, {});
}

void Agents::renew_leases() {
  while (stop_.sleep_for(std::chrono::seconds(30))) {
    for (int i = 0; i < count_; ++i) renew_lease(i);
  }
}

void Agents::on_task(const Json& object) {
  const auto status = object.find("status");
  if (status == object.end()) return;
  const auto phase = status->value("phase", "");
  const auto now = world_.clock.monotonic_now();
  const auto& metadata = object["metadata"];
  const std::string name = metadata["name"];
  bool wake = false;
  {
    MutexLock lock(mutex_);
    auto& seen = seen_[name];
    if (phase == "Assigned" && seen.assigned == MonotonicTime{}) {
      seen.assigned = now;
      if (const auto run = run_of(metadata); !run.empty()) first_assignments_.emplace(run, now);
      waiting_.push_back(std::make_shared<const api::Task>(api::Task::from_json(object)));
      wake = true;
    } else if (phase == "Succeeded" && seen.finished == MonotonicTime{}) {
      seen.finished = now;
      ++finished_;
    }
  }
  if (wake) changed_->notify_one();
}

void Agents::work() {
  while (true) {
    std::shared_ptr<const api::Task> task;
    {
      MutexLock lock(mutex_);
      while (waiting_.empty() && !stopping_) changed_->wait(mutex_);
      if (stopping_) return;
      task = waiting_.front();
      waiting_.pop_front();
    }
    report(*task);
  }
}

void Agents::report(const api::Task& task) {
  const auto started = format_time(world_.clock.wall_now());
  kube::PatchOptions options;
  options.type = kube::PatchType::Json;
  options.subresource = "status";
  for (const bool final : {false, true}) {
    const auto patch = report_patch(task, final ? "Succeeded" : "Running", started, final);
    const auto answer = world_.client->patch(api::kTask, task.meta.key(), patch, options);
    ++writes_;
    if (!answer) {
      ++refused_;
      return;
    }
  }
}

}  // namespace convoke::bench
