// The workflow reconcilers in a world of their own: a fake API server, a fake clock, the real runtime, and an
// agent that carries Tasks out by writing their status.
//
// Ownership: the World owns everything; an Operator may be destroyed and started again at any time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <prometheus/registry.h>

#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/kube/client_metrics.h"
#include "controller/runtime/controller.h"
#include "controller/runtime/reflector.h"
#include "reconcilers/workflow/run_reconciler.h"
#include "reconcilers/workflow/workflow_reconciler.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::workflow {

// When the operator dies: at its n-th write, before or after the API server carries it out. 0: never.
struct CrashPlan {
  int at_write = 0;
  bool carried_out = false;
};

// A connection of a process that can die: from then on nothing leaves it.
class MortalTransport final : public kube::Transport {
 public:
  MortalTransport(std::unique_ptr<kube::Transport> inner, CrashPlan plan)
      : inner_(std::move(inner)), plan_(plan) {}
  Result<kube::HttpResponse> send(const kube::HttpRequest& request) override;
  Result<kube::StreamResponse> open_stream(const kube::HttpRequest& request) override;
  void shutdown() override { inner_->shutdown(); }
  bool dead() const { return dead_; }

 private:
  std::unique_ptr<kube::Transport> inner_;
  CrashPlan plan_;
  int writes_ = 0;
  bool dead_ = false;
};

class RecordedEvents final : public runtime::EventRecorder {
 public:
  void record(const kube::ObjectReference& regarding, runtime::EventType type, const std::string& reason,
              const std::string& action, const std::string& note) override;
  // "Warning StepFailed on run: ..." of each.
  std::vector<std::string> lines;
  int count(const std::string& reason) const;

 private:
  std::vector<std::string> reasons_;
};

// One life of the operator's workflow part.
class Operator {
 public:
  Operator(fakes::FakeClock& clock, fakes::FakeApiServer& server, RecordedEvents& events, CrashPlan plan);
  ~Operator();
  bool dead() const { return transport_.dead(); }
  api::Caches& caches() { return caches_; }

 private:
  template <class T>
  void reflect(const kube::ResourceType& type, runtime::Store<T>& store, const std::string& labels = "");

  fakes::FakeClock& clock_;
  prometheus::Registry registry_;
  MortalTransport transport_;
  std::unique_ptr<Random> random_;
  kube::ClientMetrics metrics_;
  kube::Client client_;
  api::Caches caches_;
  RunReconciler run_reconciler_;
  WorkflowReconciler workflow_reconciler_;
  runtime::Controller runs_;
  runtime::Controller workflows_;
  std::vector<std::unique_ptr<runtime::Reflector>> reflectors_;
};

class World {
 public:
  World();

  void start_operator(CrashPlan plan = {});
  void stop_operator() { operator_.reset(); }
  bool operator_died() const { return operator_ && operator_->dead(); }

  void apply_workflow(const std::string& name, const Json& spec);
  void create_run(const std::string& name, const Json& spec);
  void edit_run(const std::string& name, const std::function<void(Json&)>& change);
  void edit_task(const std::string& name, const std::function<void(Json&)>& change);

  // What the agent does with a Task of a step: success with these outputs unless something else is said.
  void fail_step(const std::string& step) { failing_[step] = true; }
  void hold_step(const std::string& step, bool held = true) { held_[step] = held; }
  // One turn of the agent over all Tasks, as the operator's cache has them; true if it did anything.
  bool work();
  // Lets everybody work until the run ended (or nothing moves for a minute). Starts a new operator when one
  // died.
  void finish(const std::string& run);
  // The same until nothing moves, for that much time at most.
  void live(Duration time);

  Json run(const std::string& name) const;
  Json workflow(const std::string& name) const;
  std::string phase(const std::string& run) const;
  std::string step_phases(const std::string& run) const;
  std::vector<std::string> names(const kube::ResourceType& type) const;
  // How often each step was carried out by the agent: "<run>/<step>" to count.
  const std::map<std::string, int>& journal() const { return journal_; }
  int writes_to(const std::string& path_part) const;

  fakes::FakeClock clock;
  fakes::FakeApiServer server;
  RecordedEvents events;

 private:
  bool work_on(const api::Task& task);

  std::unique_ptr<Operator> operator_;
  std::map<std::string, bool> failing_;
  std::map<std::string, bool> held_;
  std::map<std::string, int> journal_;
};

inline constexpr char kNamespace[] = "default";

}  // namespace convoke::workflow
