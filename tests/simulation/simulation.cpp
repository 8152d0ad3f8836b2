#include "tests/simulation/simulation.h"

#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "controller/base/logging.h"
#include "controller/base/time_format.h"
#include "controller/kube/lease.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/simulation/agent.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/observer.h"
#include "tests/simulation/operator_process.h"

namespace convoke::simulation {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;

constexpr char kNamespace[] = "default";
constexpr int kOperators = 2;
constexpr int kAgents = 4;
constexpr int kWorkflows = 3;
// After this long without faults all must be done: two leases, two lost heartbeats and a few retries fit in.
constexpr Duration kTimeToEnd = 30min;

Json metadata(const std::string& name) {
  return {{"name", name}, {"namespace", kNamespace}};
}

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        dice_(options.seed),
        clock_({.seed = dice_.seed()}),
        observer_(prepared(), clock_) {}

  Outcome run();

 private:
  struct Later {
    MonotonicTime time;
    std::function<void()> action;
  };

  fakes::FakeApiServer& prepared() {
    fakes::register_convoke_types(server_);
    return server_;
  }
  void set_up();
  void step();
  void pass(Duration duration);
  void calm_down();
  void say(const std::string& what);

  // People
  void create_task();
  void create_run();
  void edit_something();
  void delete_task();
  void edit_agent();
  // Misfortune
  void something_breaks();
  void network_fault();
  void operator_trouble();
  void agent_trouble();
  void isolate(const std::string& client);

  void start_operator(int number);
  void start_agent(int number);
  std::string any_client();
  void later(Duration delay, std::function<void()> action);
  template <class Change>
  void edit(const kube::ResourceType& type, const Json& object, Change change);
  static std::string agent_name(int number) { return "agent" + std::to_string(number); }

  const SimulationOptions options_;
  Dice dice_;
  fakes::FakeClock clock_;
  fakes::FakeApiServer server_{clock_};
  Observer observer_;
  std::vector<std::unique_ptr<OperatorProcess>> operators_{kOperators};
  std::vector<std::unique_ptr<OperatorProcess>> dead_operators_;
  std::vector<std::unique_ptr<Agent>> agents_{kAgents};
  std::vector<std::unique_ptr<Agent>> dead_agents_;
  std::vector<Later> later_;
  int lives_ = 0;
  int tasks_ = 0;
  int runs_ = 0;
};

// --- The world ---

void Simulation::set_up() {
  server_.set_interleaving(true);
  server_.set_latency(dice_.between(1ms, 20ms));
  server_.set_history_limit(dice_.chance(30) ? 20 : 10000);
  server_.set_streaming_lists(dice_.chance(70));
  for (int i = 0; i < kAgents; ++i) {
    const Json capabilities = i == 0 ? Json{"*"} : Json{"build", "kind" + std::to_string(i % 2)};
    server_.put(api::kAgent, {{"metadata", metadata(agent_name(i))},
                              {"spec",
                               {{"capabilities", capabilities},
                                {"capacity", 1 + dice_.below(4)},
                                {"heartbeat", {{"interval", "10s"}, {"timeout", "30s"}}}}}});
    start_agent(i);
  }
  const auto step = [](const std::string& name, Json depends, int retries) {
    return Json{{"name", name},
                {"dependsOn", std::move(depends)},
                {"retry", {{"limit", retries}, {"backoff", {{"base", "1s"}, {"max", "5s"}}}}},
                {"task", {{"type", "build"}}}};
  };
  const std::vector<Json> graphs = {
      Json::array({step("one", Json::array(), 3)}),
      Json::array(
          {step("a", Json::array(), 3), step("b", {"a"}, 3), step("c", {"a"}, 1), step("d", {"b", "c"}, 3)}),
      Json::array({step("x", Json::array(), 0), step("y", Json::array(), 2), step("z", {"x"}, 3)}),
  };
  for (int i = 0; i < kWorkflows; ++i) {
    server_.put(api::kWorkflow, {{"metadata", metadata("flow" + std::to_string(i))},
                                 {"spec",
                                  {{"steps", graphs[static_cast<std::size_t>(i)]},
                                   {"parallelism", 2},
                                   {"onFailure", i == 2 ? "Continue" : "Abort"},
                                   {"triggers", Json::array()},
                                   {"historyLimits", {{"succeeded", 100}, {"failed", 100}}}}}});
  }
  for (int i = 0; i < kOperators; ++i) start_operator(i);
}

void Simulation::start_operator(int number) {
  const std::string client = kOperatorPrefix + std::to_string(++lives_);
  say("start " + client);
  operators_[static_cast<std::size_t>(number)] = std::make_unique<OperatorProcess>(
      server_, clock_, client, dice_.seed(), options_.verbose ? make_stderr_sink() : nullptr);
}

void Simulation::start_agent(int number) {
  const std::string client = kAgentPrefix + std::to_string(++lives_);
  say("start " + agent_name(number) + " as " + client);
  agents_[static_cast<std::size_t>(number)] =
      std::make_unique<Agent>(server_, clock_, agent_name(number), client, dice_.seed());
}

void Simulation::say(const std::string& what) {
  if (options_.verbose) std::cerr << format_micro_time(clock_.wall_now()) << " --- " << what << std::endl;
}

void Simulation::later(Duration delay, std::function<void()> action) {
  later_.push_back({clock_.monotonic_now() + delay, std::move(action)});
}

void Simulation::pass(Duration duration) {
  clock_.advance(duration);
  std::vector<Later> due;
  std::erase_if(later_, [&](Later& entry) {
    if (entry.time > clock_.monotonic_now()) return false;
    due.push_back(std::move(entry));
    return true;
  });
  for (const Later& entry : due) entry.action();
  std::erase_if(dead_operators_, [](const auto& process) { return process->has_ended(); });
}

// --- People ---

void Simulation::create_task() {
  Json spec = {{"type", dice_.chance(80) ? "build" : "kind" + std::to_string(dice_.below(2))},
               {"priority", 1 + dice_.below(5)},
               {"retry", {{"limit", dice_.below(4)}, {"backoff", {{"base", "1s"}, {"max", "10s"}}}}}};
  if (dice_.chance(20)) spec["timeout"] = std::to_string(2 + dice_.below(20)) + "s";
  if (dice_.chance(10)) {
    spec["type"] = "build";  // which every agent can do
    spec["agentName"] = agent_name(dice_.below(kAgents));
  }
  if (dice_.chance(10)) spec["deadline"] = std::to_string(20 + dice_.below(100)) + "s";
  if (dice_.chance(5)) spec["suspend"] = true;
  const std::string name = "task" + std::to_string(tasks_++);
  say("create " + name);
  server_.put(api::kTask, {{"metadata", metadata(name)}, {"spec", spec}});
}

void Simulation::create_run() {
  const std::string name = "run" + std::to_string(runs_++);
  say("create " + name);
  server_.put(api::kWorkflowRun,
              {{"metadata", metadata(name)},
               {"spec", {{"workflowName", "flow" + std::to_string(dice_.below(kWorkflows))}}}});
}

template <class Change>
void Simulation::edit(const kube::ResourceType& type, const Json& object, Change change) {
  const auto key = kube::meta_from_json(object).key();
  if (server_.object(type, key)) server_.edit(type, key, change);
}

void Simulation::edit_something() {
  const bool of_run = dice_.chance(30);
  const auto& type = of_run ? api::kWorkflowRun : api::kTask;
  const auto objects = server_.objects(type);
  if (objects.empty()) return;
  const Json object = dice_.of(objects);
  const int what = dice_.below(10);
  const int priority = 1 + dice_.below(5);
  say("edit " + object["metadata"]["name"].get<std::string>() + " " + std::to_string(what));
  edit(type, object, [&](Json& edited) {
    if (what < 3) {
      edited["spec"]["cancel"] = {{"reason", "by the dice"}};
    } else if (what < 6) {
      edited["spec"]["suspend"] = !edited["spec"].value("suspend", false);
    } else if (!of_run) {
      edited["spec"]["priority"] = priority;
    }
  });
}

void Simulation::delete_task() {
  const auto tasks = server_.objects(api::kTask);
  if (tasks.empty()) return;
  const auto key = kube::meta_from_json(dice_.of(tasks)).key();
  say("delete " + key.name);
  server_.remove(api::kTask, key);
}

void Simulation::edit_agent() {
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

// --- Misfortune ---

std::string Simulation::any_client() {
  return dice_.chance(60) ? operators_[static_cast<std::size_t>(dice_.below(kOperators))]->client()
                          : agents_[static_cast<std::size_t>(dice_.below(kAgents))]->client();
}

void Simulation::network_fault() {
  static const std::vector<std::string> kMethods = {"POST", "PUT", "PATCH", "GET", "WATCH", ""};
  const fakes::RequestMatcher matcher{.method = dice_.of(kMethods), .client = any_client()};
  const int times = 1 + dice_.below(3);
  switch (dice_.below(7)) {
    case 0:
      server_.fail_next(matcher, Fault::drop_request(), times);
      break;
    case 1:
      server_.fail_next(matcher, Fault::drop_answer(), times);
      break;
    case 2:
      server_.fail_next({.method = "PUT", .client = matcher.client}, Fault::conflict(), times);
      break;
    case 3:
      server_.fail_next(matcher, Fault::throttle(dice_.between(1s, 5s)), times);
      break;
    case 4:
      server_.fail_next(matcher, Fault::error(dice_.chance(50) ? 500 : 503), times);
      break;
    case 5:
      server_.fail_next({.method = "WATCH", .client = matcher.client}, Fault::gone(), times);
      break;
    default:
      server_.fail_next({.method = "WATCH", .client = matcher.client},
                        Fault::cut_stream(static_cast<std::size_t>(dice_.below(3000))), times);
  }
}

void Simulation::something_breaks() {
  switch (dice_.below(5)) {
    case 0:
      server_.break_watches(dice_.chance(50) ? any_client() : "");
      break;
    case 1:
      server_.close_watches();
      break;
    case 2:
      server_.compact();
      server_.break_watches();
      break;
    case 3:
      server_.repeat_next_events(1 + dice_.below(20));
      break;
    default:
      network_fault();
  }
}

// Cut off, or into a black hole, for a while.
void Simulation::isolate(const std::string& client) {
  const bool freezes = dice_.chance(50);
  say((freezes ? "freeze " : "partition ") + client);
  const auto set = [this, client, freezes](bool on) {
    freezes ? server_.freeze(client, on) : server_.partition(client, on);
  };
  set(true);
  later(dice_.between(1s, 60s), [this, set, client] {
    say("heal " + client);
    set(false);
  });
}

void Simulation::operator_trouble() {
  const int number = dice_.below(kOperators);
  auto& process = operators_[static_cast<std::size_t>(number)];
  if (process->has_ended()) {  // it lost its leadership, and whoever runs it starts it again
    process.reset();
    start_operator(number);
    return;
  }
  if (dice_.chance(40)) return isolate(process->client());
  const bool is_kill = dice_.chance(70);
  say((is_kill ? "kill " : "stop ") + process->client());
  is_kill ? process->kill() : process->stop();
  dead_operators_.push_back(std::move(process));
  start_operator(number);
}

void Simulation::agent_trouble() {
  const int number = dice_.below(kAgents);
  auto& agent = agents_[static_cast<std::size_t>(number)];
  if (dice_.chance(50)) return isolate(agent->client());
  say("crash " + agent->client());
  agent->crash();
  dead_agents_.push_back(std::move(agent));
  start_agent(number);
}

void Simulation::step() {
  const int what = dice_.below(100);
  if (what < 30) {
    for (int i = 1 + dice_.below(4); i > 0; --i) create_task();
  } else if (what < 40) {
    create_run();
  } else if (what < 50) {
    edit_something();
  } else if (what < 53) {
    delete_task();
  } else if (what < 57) {
    edit_agent();
  } else if (what < 82) {
    something_breaks();
  } else if (what < 91) {
    operator_trouble();
  } else {
    agent_trouble();
  }
  pass(dice_.chance(80) ? dice_.between(Duration(1ms), Duration(500ms))
                        : dice_.between(Duration(1s), Duration(20s)));
}

// --- The end ---

void Simulation::calm_down() {
  say("no more faults");
  server_.clear_faults();
  for (const Later& entry : later_) entry.action();
  later_.clear();
  for (int i = 0; i < kOperators; ++i) {
    if (operators_[static_cast<std::size_t>(i)]->has_ended()) start_operator(i);
  }
  for (const Json& agent : server_.objects(api::kAgent)) {
    edit(api::kAgent, agent, [](Json& edited) { edited["spec"]["cordoned"] = false; });
  }
  for (const auto* type : {&api::kTask, &api::kWorkflowRun}) {
    for (const Json& object : server_.objects(*type)) {
      edit(*type, object, [](Json& edited) { edited["spec"]["suspend"] = false; });
    }
  }
}

Outcome Simulation::run() {
  const auto began = clock_.monotonic_now();
  set_up();
  for (int i = 0; i < options_.steps && observer_.violations().empty(); ++i) step();
  calm_down();
  const auto has_ended = [](const Json& object) {
    const auto phase = object.value("/status/phase"_json_pointer, "");
    return phase == "Succeeded" || phase == "Failed" || phase == "Cancelled";
  };
  const auto all_ended = [&] {
    for (const auto* type : {&api::kTask, &api::kWorkflowRun}) {
      for (const Json& object : server_.objects(*type)) {
        if (!has_ended(object)) return false;
      }
    }
    return true;
  };
  const auto give_up = clock_.monotonic_now() + kTimeToEnd;
  while (observer_.violations().empty() && clock_.monotonic_now() < give_up && !all_ended()) {
    pass(5s);
    for (int i = 0; i < kOperators; ++i) {
      if (operators_[static_cast<std::size_t>(i)]->has_ended()) start_operator(i);
    }
  }
  if (observer_.violations().empty()) observer_.judge_the_end();
  Outcome outcome;
  outcome.violations = observer_.violations();
  outcome.tasks = static_cast<std::size_t>(tasks_);
  outcome.requests = server_.request_count();
  outcome.task_writes = observer_.task_writes();
  outcome.virtual_time = clock_.monotonic_now() - began;
  return outcome;
}

}  // namespace

Outcome simulate(const SimulationOptions& options) {
  return Simulation(options).run();
}

}  // namespace convoke::simulation
