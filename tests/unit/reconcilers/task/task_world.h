// An operator that knows of Tasks only, on a fake API server; the tests play the agents and say how they are.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "reconcilers/task/task_reconciler.h"
#include "tests/unit/reconcilers/testbed.h"

namespace convoke::task::testing {

using api::kAgent;
using api::kTask;
using convoke::testing::kOperator;
using convoke::testing::metadata;
using convoke::testing::Testbed;
using convoke::testing::World;

// Keeps what it is told.
class KeptAudit final : public api::AuditLog {
 public:
  void record(const api::AuditEntry& entry) override {
    const MutexLock lock(mutex_);
    lines_.push_back(entry.object.name + " " + entry.from + ">" + entry.to + " " +
                     entry.object.resource_version);
  }
  std::vector<std::string> lines() const {
    const MutexLock lock(mutex_);
    return lines_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ GUARDED_BY(mutex_);
};

struct TaskOperator : Testbed {
  explicit TaskOperator(World& the_world, std::uint64_t seed = 7, bool leads = true)
      : Testbed(the_world, seed) {
    add_controller("task", reconciler, 4,
                   [this](const kube::ObjectKey& key) { return caches.tasks.get(key) != nullptr; });
    reconciler.watch(controller->queue());
    add_reflector(kAgent, caches.agents);
    add_reflector(kTask, caches.tasks);
    sync();
    if (leads) lead();
  }
  ~TaskOperator() { stop(); }

  void lead() {
    scheduler.start(recent_assignments(caches.tasks, world.clock.wall_now()));
    controller->start();
    world.clock.settle();
  }

  TaskMetrics task_metrics{registry};
  Scheduler scheduler{world.clock, task_metrics, *random};
  KeptAudit audit;
  TaskReconciler reconciler{
      {client, caches, scheduler, world.clock, *random, world.events, task_metrics, &audit}, Logger()};
};

class TaskWorldTest : public ::testing::Test {
 protected:
  // --- What people do ---
  void create_task(const std::string& name, const Json& spec = {{"type", "compile"}}) {
    world.server.put(kTask, {{"metadata", metadata(name)}, {"spec", spec}});
  }
  void create_agent(const std::string& name, int capacity = 10, const std::string& phase = "Ready",
                    const Json& capabilities = {"compile"}) {
    world.server.put(kAgent, {{"metadata", metadata(name)},
                              {"spec", {{"capabilities", capabilities}, {"capacity", capacity}}},
                              {"status", {{"phase", phase}}}});
  }
  void set_agent_phase(const std::string& name, const std::string& phase) {
    world.server.edit(kAgent, {"default", name}, [&](Json& agent) { agent["status"]["phase"] = phase; });
  }
  void edit_task(const std::string& name, const std::function<void(Json&)>& change) {
    world.server.edit(kTask, {"default", name}, change);
  }

  // --- What agents do ---
  void report(const std::string& name, const std::string& state, Json more = Json::object()) {
    edit_task(name, [&](Json& task) {
      more["state"] = state;
      more["assignmentID"] = task["status"]["assignment"]["id"];
      task["status"]["report"] = more;
    });
  }
  void finish(const std::string& name) {
    report(name, "Succeeded", {{"outputs", {{"ok", true}}}});
    settle();
  }

  // --- What is ---
  void settle() { world.clock.settle(); }
  Json status(const std::string& name) const {
    const auto task = world.server.object(kTask, {"default", name});
    return task && task->contains("status") ? (*task)["status"] : Json::object();
  }
  std::string phase(const std::string& name) const { return status(name).value("phase", ""); }
  std::string reason(const std::string& name) const { return status(name).value("reason", ""); }
  std::string agent_of(const std::string& name) const { return status(name).value("agentName", ""); }
  std::size_t writes() const { return world.server.write_count(kOperator); }

  World world;
};

}  // namespace convoke::task::testing
