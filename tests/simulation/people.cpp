#include "tests/simulation/people.h"

#include <utility>
#include <vector>

#include "controller/base/time_format.h"
#include "controller/kube/lease.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/task/lock_lease.h"
#include "tests/simulation/flows.h"
#include "tests/simulation/services.h"

namespace convoke::simulation {
namespace {

using namespace std::chrono_literals;

constexpr char kNamespace[] = "default";

Json metadata(const std::string& name) {
  return {{"name", name}, {"namespace", kNamespace}};
}

std::string seconds(int number) {
  return std::to_string(number) + "s";
}

}  // namespace

People::People(fakes::FakeApiServer& server, Clock& clock, Dice& dice, Say say)
    : server_(server), clock_(clock), dice_(dice), say_(std::move(say)) {}

std::string People::agent_name(int number) {
  return "agent" + std::to_string(number);
}

std::string People::service_name(int number) {
  return "service" + std::to_string(number);
}

std::string People::any_builder() {
  const int number = dice_.below(agents_ + services_);
  return number < agents_ ? agent_name(number) : service_name(number - agents_);
}

void People::create_agents(int count, int services) {
  agents_ = count;
  services_ = services;
  for (int i = 0; i < count; ++i) {
    const Json capabilities = i == 0 ? Json{"*"} : Json{"build", "kind" + std::to_string(i % 2)};
    Json spec = {{"capabilities", capabilities},
                 {"capacity", 1 + dice_.below(4)},
                 {"cost", {{"perTask", "0.0" + std::to_string(i)}}},
                 {"circuitBreaker", {{"failureThreshold", 3}, {"openFor", "5s"}, {"halfOpenTasks", 2}}},
                 {"heartbeat", {{"interval", "10s"}, {"timeout", "30s"}}}};
    if (dice_.chance(30)) spec["rateLimit"] = {{"tasksPerMinute", 60}, {"burst", 2}};
    server_.put(api::kAgent, {{"metadata", metadata(agent_name(i))}, {"spec", spec}});
  }
  for (int i = 0; i < services; ++i) {
    const Json http = {{"url", Services::url(service_name(i))},
                       {"timeout", "5s"},
                       {"pollInterval", "1s"},
                       {"healthPath", "/health"}};
    const Json spec = {{"capabilities", {"build"}},
                       {"capacity", 1 + dice_.below(4)},
                       {"dispatch", {{"mode", "HTTP"}, {"http", http}}},
                       {"heartbeat", {{"interval", "10s"}, {"timeout", "30s"}}}};
    server_.put(api::kAgent, {{"metadata", metadata(service_name(i))}, {"spec", spec}});
  }
}

void People::create_workflows() {
  for (const auto& spec : flows()) {
    server_.put(api::kWorkflow, {{"metadata", metadata(flow_name(workflows_++))}, {"spec", spec}});
  }
}

void People::create_schedules() {
  // They want minutes of virtual time, which cost: one seed in four has some.
  if (!dice_.chance(25)) return;
  const auto specs = schedules();
  for (int i = 0; i < static_cast<int>(specs.size()); ++i) {
    if (!dice_.chance(50)) continue;
    server_.put(api::kWorkflow,
                {{"metadata", metadata(schedule_name(i))}, {"spec", specs[static_cast<std::size_t>(i)]}});
    schedules_.push_back(schedule_name(i));
  }
}

void People::create_task() {
  Json spec = {{"type", dice_.chance(80) ? "build" : "kind" + std::to_string(dice_.below(2))},
               {"priority", 1 + dice_.below(5)},
               {"retry", {{"limit", dice_.below(4)}, {"backoff", {{"base", "1s"}, {"max", "10s"}}}}}};
  add_constraints(spec);
  add_coordination(spec);
  const std::string name = "task" + std::to_string(tasks_++);
  say_("create " + name);
  server_.put(api::kTask, {{"metadata", metadata(name)}, {"spec", spec}});
}

// Who may do it, and when.
void People::add_constraints(Json& spec) {
  static const std::vector<std::string> kStrategies = {
      "CapabilityMatch", "RoundRobin", "LeastLoaded", "Random", "PerformanceBased", "CostOptimized"};
  if (dice_.chance(50)) spec["assignment"] = {{"strategy", dice_.of(kStrategies)}};
  if (dice_.chance(10)) spec["requires"] = {{"rule", "agent.metadata.name != task.metadata.name"}};
  if (dice_.chance(20)) spec["timeout"] = seconds(2 + dice_.below(20));
  if (dice_.chance(10)) {
    spec["type"] = "build";  // which every agent can do
    spec["agentName"] = any_builder();
  }
  if (dice_.chance(10)) spec["deadline"] = seconds(20 + dice_.below(100));
  if (dice_.chance(5)) spec["suspend"] = true;
  if (dice_.chance(15)) spec["notBefore"] = format_time(clock_.wall_now() + dice_.between(-10s, 30s));
}

// What it has to do with other Tasks.
void People::add_coordination(Json& spec) {
  if (dice_.chance(20)) spec["delivery"] = "AtMostOnce";
  if (dice_.chance(10)) spec["idempotencyKey"] = "key" + std::to_string(dice_.below(5));
  if (dice_.chance(25)) {
    spec["locks"] = Json::array();
    for (const char* name : {"one", "two", "three"}) {
      if (!dice_.chance(50)) continue;
      Json lock = {{"name", name}};
      if (dice_.chance(40)) lock["mode"] = "Shared";
      if (lock.contains("mode") && dice_.chance(50)) lock["permits"] = 2;
      spec["locks"].push_back(lock);
    }
  }
  if (!dice_.chance(6)) return;
  static const std::vector<std::string> kAggregations = {"All", "Any", "FirstSuccess", "Quorum"};
  spec["subtasks"] = Json::array();
  const int count = 1 + dice_.below(4);
  for (int i = 0; i < count; ++i) {
    spec["subtasks"].push_back({{"name", "part" + std::to_string(i)}, {"task", {{"type", "build"}}}});
  }
  spec["aggregation"] = {{"strategy", dice_.of(kAggregations)}};
  if (spec["aggregation"]["strategy"] == "Quorum") spec["aggregation"]["quorum"] = 1 + dice_.below(count);
}

void People::create_run() {
  const std::string name = "run" + std::to_string(runs_++);
  say_("create " + name);
  server_.put(api::kWorkflowRun,
              {{"metadata", metadata(name)},
               {"spec", {{"workflowName", flow_name(dice_.below(workflows_))}, {"createdBy", "ann"}}}});
}

template <class Change>
void People::edit(const kube::ResourceType& type, const Json& object, Change change) {
  const auto key = kube::meta_from_json(object).key();
  if (server_.object(type, key)) server_.edit(type, key, change);
}

void People::edit_something() {
  const bool of_run = dice_.chance(30);
  const auto& type = of_run ? api::kWorkflowRun : api::kTask;
  const auto objects = server_.objects(type);
  if (objects.empty()) return;
  const Json object = dice_.of(objects);
  const int what = dice_.below(10);
  say_("edit " + object["metadata"]["name"].get<std::string>() + " " + std::to_string(what));
  edit(type, object, [&](Json& edited) {
    if (of_run && what >= 6) {
      edit_run(edited);
    } else if (what < 3) {
      edited["spec"]["cancel"] = {{"reason", "by the dice"}};
      if (of_run && dice_.chance(50)) edited["spec"]["cancel"]["compensate"] = true;
    } else if (what < 6) {
      edited["spec"]["suspend"] = !edited["spec"].value("suspend", false);
    } else if (!of_run) {
      edit_task(edited);
    }
  });
}

void People::edit_run(Json& run) {
  const auto phase = run.value("/status/phase"_json_pointer, "");
  if (phase == "Failed" || phase == "Compensated") {
    run["spec"]["retryFrom"] = {{"round", run.value("/status/round"_json_pointer, 0) + 1}};
  } else if (!run["spec"].contains("approvals")) {
    run["spec"]["approvals"] = Json::array({{{"step", kGate},
                                             {"user", "bob"},
                                             {"round", 0},
                                             {"decision", dice_.chance(70) ? "Approve" : "Reject"}}});
  }
}

void People::edit_task(Json& task) {
  if (dice_.chance(50)) {
    task["spec"]["priority"] = 1 + dice_.below(5);
  } else {
    // Every agent can build; for the rest only the first has what it takes.
    const bool builds = task["spec"].value("type", "") == "build";
    task["spec"]["agentName"] = builds ? any_builder() : agent_name(0);
  }
}

void People::delete_task() {
  const auto tasks = server_.objects(api::kTask);
  if (tasks.empty()) return;
  const auto key = kube::meta_from_json(dice_.of(tasks)).key();
  say_("delete " + key.name);
  server_.remove(api::kTask, key);
}

// In every round that there was; those that are made from now on are approved when they are asked again.
void People::approve_all() {
  for (const Json& run : server_.objects(api::kWorkflowRun)) {
    edit(api::kWorkflowRun, run, [](Json& edited) {
      auto& approvals = edited["spec"]["approvals"];
      if (approvals.is_null()) approvals = Json::array();
      const int round = edited.value("/status/round"_json_pointer, 0);
      for (int of : {round, round + 1}) {
        if (of > 0 || approvals.empty()) {
          approvals.push_back({{"step", kGate}, {"user", "carl"}, {"round", of}, {"decision", "Approve"}});
        }
      }
    });
  }
}

void People::edit_agent() {
  const auto agents = server_.objects(api::kAgent);
  const Json agent = dice_.of(agents);
  const bool cordons = dice_.chance(50);
  const int capacity = 1 + dice_.below(4);
  edit(api::kAgent, agent, [&](Json& edited) {
    if (cordons) {
      edited["spec"]["cordoned"] = !edited["spec"].value("cordoned", false);
    } else {
      edited["spec"]["capacity"] = capacity;
    }
  });
}

void People::break_lock() {
  std::vector<Json> held;
  for (const Json& lease : server_.objects(kube::kLease)) {
    if (lease["metadata"]["name"].get<std::string>().rfind("convoke-lock-", 0) == 0) held.push_back(lease);
  }
  if (held.empty()) return;
  const Json lease = dice_.of(held);
  say_("break " + lease["metadata"]["name"].get<std::string>());
  edit(kube::kLease, lease,
       [](Json& edited) { edited["metadata"]["annotations"][task::kBreakLockAnnotation] = "by the dice"; });
}

void People::edit_schedule() {
  if (schedules_.empty()) return;
  const auto& name = dice_.of(schedules_);
  say_("edit " + name);
  server_.edit(api::kWorkflow, {kNamespace, name},
               [](Json& edited) { edited["spec"]["suspend"] = !edited["spec"].value("suspend", false); });
}

void People::suspend_schedules(bool suspended) {
  for (const auto& name : schedules_) {
    server_.edit(api::kWorkflow, {kNamespace, name},
                 [&](Json& edited) { edited["spec"]["suspend"] = suspended; });
  }
}

void People::let_all_end() {
  for (const Json& agent : server_.objects(api::kAgent)) {
    edit(api::kAgent, agent, [](Json& edited) { edited["spec"]["cordoned"] = false; });
  }
  for (const auto* type : {&api::kTask, &api::kWorkflowRun}) {
    for (const Json& object : server_.objects(*type)) {
      edit(*type, object, [](Json& edited) { edited["spec"]["suspend"] = false; });
    }
  }
  suspend_schedules(false);
  approve_all();
}

}  // namespace convoke::simulation
