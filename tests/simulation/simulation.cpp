#include "tests/simulation/simulation.h"

#include <algorithm>
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
#include "tests/simulation/leader_fence.h"
#include "tests/simulation/observer.h"
#include "tests/simulation/operator_process.h"
#include "tests/simulation/people.h"
#include "tests/simulation/services.h"

namespace convoke::simulation {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;

constexpr int kOperators = 2;
constexpr int kAgents = 4;
constexpr int kServices = 2;
// After this long without faults all must be done: two leases, two lost heartbeats and a few retries fit in.
constexpr Duration kTimeToEnd = 30min;
// Of five seconds each, after all has ended.
constexpr int kQuietRounds = 24;
// After the last fault: until schedules are kept again, and how long they are watched then.
constexpr Duration kTimeToCalm = 60s;
constexpr Duration kCalm = 3min;

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        dice_(options.seed),
        clock_({.seed = dice_.seed()}),
        observer_(prepared(), clock_, fence()),
        services_{clock_, dice_.seed(), dice_.between(1ms, 50ms), observer_} {}

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
  // In every other seed: with and without it nothing may break.
  Observer::Admit fence() {
    return [this](const fakes::WriteReview& write) {
      return options_.seed % 2 == 0 ? fence_.review(write) : Status();
    };
  }
  void set_up();
  void step();
  void pass(Duration duration);
  void calm_down();
  void watch_schedules();
  Duration to_next_minute() const;
  void say(const std::string& what);

  // Misfortune
  void something_breaks();
  void network_fault();
  void operator_trouble();
  void agent_trouble();
  void service_trouble();
  void isolate(const std::string& client);
  void freeze(OperatorProcess& process);

  void start_operator(int number);
  // Those that ended because they lost their leadership.
  void revive();
  void start_agent(int number);
  std::string any_client();
  void later(Duration delay, std::function<void()> action);

  const SimulationOptions options_;
  Dice dice_;
  fakes::FakeClock clock_;
  LeaderFence fence_;
  fakes::FakeApiServer server_{clock_};
  Observer observer_;
  Services services_;
  std::vector<std::unique_ptr<OperatorProcess>> operators_{kOperators};
  std::vector<std::unique_ptr<OperatorProcess>> dead_operators_;
  std::vector<std::unique_ptr<Agent>> agents_{kAgents};
  std::vector<std::unique_ptr<Agent>> dead_agents_;
  std::vector<Later> later_;
  std::vector<Duration> skews_;  // of each agent's wall clock
  int lives_ = 0;
  People people_{server_, clock_, dice_, [this](const std::string& what) { say(what); }};
};

// --- The world ---

void Simulation::set_up() {
  server_.set_interleaving(true);
  server_.set_latency(dice_.between(1ms, 20ms));
  server_.set_history_limit(dice_.chance(30) ? 20 : 10000);
  server_.set_streaming_lists(dice_.chance(70));
  for (int i = 0; i < kAgents; ++i) skews_.push_back(dice_.chance(50) ? Duration(0) : dice_.between(-1h, 1h));
  people_.create_agents(kAgents, kServices);
  people_.create_workflows();
  people_.create_schedules();
  for (int i = 0; i < kAgents; ++i) start_agent(i);
  for (int i = 0; i < kOperators; ++i) start_operator(i);
}

void Simulation::start_operator(int number) {
  const std::string client = kOperatorPrefix + std::to_string(++lives_);
  say("start " + client);
  operators_[static_cast<std::size_t>(number)] = std::make_unique<OperatorProcess>(
      server_, services_, clock_, client, dice_.seed(), options_.verbose ? make_stderr_sink() : nullptr);
}

void Simulation::start_agent(int number) {
  const std::string client = kAgentPrefix + std::to_string(++lives_);
  say("start " + People::agent_name(number) + " as " + client);
  agents_[static_cast<std::size_t>(number)] =
      std::make_unique<Agent>(server_, clock_, People::agent_name(number), client, dice_.seed(),
                              skews_[static_cast<std::size_t>(number)]);
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

// --- Misfortune ---

std::string Simulation::any_client() {
  return dice_.chance(60) ? operators_[static_cast<std::size_t>(dice_.below(kOperators))]->client()
                          : agents_[static_cast<std::size_t>(dice_.below(kAgents))]->client();
}

void Simulation::network_fault() {
  static const std::vector<std::string> kMethods = {"POST", "PUT", "PATCH", "GET", "WATCH", ""};
  const fakes::RequestMatcher matcher{.method = dice_.of(kMethods), .client = any_client()};
  const int times = 1 + dice_.below(3);
  switch (dice_.below(6)) {
    case 0:
      server_.fail_next(matcher, Fault::drop_request(), times);
      break;
    case 1:
      server_.fail_next(matcher, Fault::drop_answer(), times);
      break;
    case 2:
      server_.fail_next(matcher, Fault::throttle(dice_.between(1s, 5s)), times);
      break;
    case 3:
      server_.fail_next(matcher, Fault::error(dice_.chance(50) ? 500 : 503), times);
      break;
    case 4:
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

// The whole process stands still, and then goes on as if nothing had been.
void Simulation::freeze(OperatorProcess& process) {
  const std::string client = process.client();
  say("stop and later continue " + client);
  process.freeze();
  later(dice_.between(1s, 60s), [this, client] {
    for (const auto& each : operators_) {
      if (each == nullptr || each->client() != client) continue;  // it was killed meanwhile
      say("continue " + client);
      each->thaw();
    }
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
  if (dice_.chance(30)) return isolate(process->client());
  if (dice_.chance(30)) return freeze(*process);
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

void Simulation::service_trouble() {
  const std::string service = People::service_name(dice_.below(kServices));
  if (dice_.chance(50)) {
    say("crash " + service);
    return services_.crash(service);
  }
  say("take down " + service);
  services_.set_down(service, true);
  later(dice_.between(1s, 60s), [this, service] { services_.set_down(service, false); });
}

void Simulation::step() {
  const int what = dice_.below(100);
  if (what < 26) {
    for (int i = 1 + dice_.below(4); i > 0; --i) people_.create_task();
  } else if (what < 28) {
    people_.edit_schedule();
  } else if (what < 32) {  // so that what goes wrong next meets the schedules at work
    pass(std::max(Duration(0), to_next_minute() - dice_.between(Duration(0), Duration(100ms))));
  } else if (what < 40) {
    people_.create_run();
  } else if (what < 50) {
    people_.edit_something();
  } else if (what < 53) {
    people_.delete_task();
  } else if (what < 57) {
    people_.edit_agent();
  } else if (what < 59) {
    people_.break_lock();
  } else if (what < 82) {
    something_breaks();
  } else if (what < 91) {
    operator_trouble();
  } else if (what < 97) {
    agent_trouble();
  } else {
    service_trouble();
  }
  pass(dice_.chance(80) ? dice_.between(Duration(1ms), Duration(500ms))
                        : dice_.between(Duration(1s), Duration(20s)));
}

// --- The end ---

void Simulation::calm_down() {
  say("no more faults");
  server_.clear_faults();
  services_.set_faulty(false);
  for (const Later& entry : later_) entry.action();
  later_.clear();
  revive();
  people_.let_all_end();
}

Duration Simulation::to_next_minute() const {
  return 1min - clock_.wall_now().time_since_epoch() % 1min;
}

void Simulation::watch_schedules() {
  WallTime from;
  for (Duration passed = {}; passed < kTimeToCalm + kCalm && observer_.violations().empty(); passed += 5s) {
    if (passed <= kTimeToCalm) from = clock_.wall_now();
    pass(5s);
    revive();
  }
  observer_.judge_calm(from, clock_.wall_now());
  people_.suspend_schedules(true);
}

void Simulation::revive() {
  for (int i = 0; i < kOperators; ++i) {
    if (operators_[static_cast<std::size_t>(i)]->has_ended()) start_operator(i);
  }
}

Outcome Simulation::run() {
  const auto began = clock_.monotonic_now();
  set_up();
  for (int i = 0; i < options_.steps && observer_.violations().empty(); ++i) step();
  calm_down();
  if (people_.has_schedules() && observer_.violations().empty()) watch_schedules();
  const auto has_ended = [](const Json& object) {
    const auto phase = object.value("/status/phase"_json_pointer, "");
    return phase == "Succeeded" || phase == "Failed" || phase == "Cancelled" || phase == "Compensated";
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
    revive();
  }
  // Agents are Ready again, and nobody holds a lock any more.
  for (int i = 0; i < kQuietRounds; ++i) pass(5s);
  if (observer_.violations().empty()) observer_.judge_the_end();
  Outcome outcome;
  outcome.violations = observer_.violations();
  outcome.tasks = static_cast<std::size_t>(people_.tasks());
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
