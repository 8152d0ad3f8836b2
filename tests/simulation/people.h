// The people of a simulation: what they create, change and delete, by rolling dice. Tasks and runs of every
// kind that Convoke knows, also such as nobody would think of together.
//
// Thread safety: for the driver. Ownership: the server, the clock and the dice outlive it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/object.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/simulation/dice.h"

namespace convoke::simulation {

class People {
 public:
  using Say = std::function<void(const std::string&)>;

  People(fakes::FakeApiServer& server, Clock& clock, Dice& dice, Say say);

  // `services` more are services, of the names that service_name() gives.
  void create_agents(int count, int services);
  void create_workflows();
  // Some of schedules() in flows.h.
  void create_schedules();
  void create_task();
  void create_run();
  void edit_something();
  void delete_task();
  void edit_agent();
  void break_lock();
  // Suspends a schedule, or lets it go on.
  void edit_schedule();
  // Takes back what keeps anything from its end.
  void let_all_end();
  void suspend_schedules(bool suspended);

  int tasks() const { return tasks_; }
  bool has_schedules() const { return !schedules_.empty(); }
  static std::string agent_name(int number);
  static std::string service_name(int number);

 private:
  void add_constraints(Json& spec);
  void add_coordination(Json& spec);
  void edit_task(Json& task);
  std::string any_builder();
  void edit_run(Json& run);
  void approve_all();
  template <class Change>
  void edit(const kube::ResourceType& type, const Json& object, Change change);

  fakes::FakeApiServer& server_;
  Clock& clock_;
  Dice& dice_;
  const Say say_;
  int agents_ = 0;
  int services_ = 0;
  int workflows_ = 0;
  int tasks_ = 0;
  int runs_ = 0;
  std::vector<std::string> schedules_;  // the names of those Workflows
};

}  // namespace convoke::simulation
