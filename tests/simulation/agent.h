// An agent of the simulation: speaks the Pull protocol with the real client and watch, and works by rolling
// dice. It shares no code with convoke-runner: what both get right, the protocol gets right.
//
// crash() leaves everything as it is; the next Agent of the same name finds its Tasks and, as it does not
// know them, reports them as failed. frozen connections (FakeApiServer::freeze) make it late.
//
// Thread safety: made, crashed and destroyed by the driver; its own threads do the rest. Ownership: server
// and clock outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <prometheus/registry.h>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "controller/kube/client.h"
#include "controller/kube/client_metrics.h"
#include "controller/runtime/reflector.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/simulation/dice.h"

namespace convoke::simulation {

class Agent {
 public:
  // `client` is the name of its connection, different for each life of the agent; `skew` is by how much its
  // wall clock is wrong.
  Agent(fakes::FakeApiServer& server, Clock& clock, std::string name, const std::string& client,
        std::uint64_t seed, Duration skew);
  ~Agent();

  // Nothing that it does from now on reaches the server.
  void crash();
  const std::string& client() const { return client_name_; }

 private:
  class Sink;
  enum class Step { Start, Finish, GiveUp };
  struct Work {
    kube::ObjectKey task;
    std::string assignment;
    Step step = Step::Start;
    MonotonicTime due;
  };

  void see(const Json& task);
  void forget(const Json& task);
  void run();
  void beat();
  WallTime wall_now() const { return clock_.wall_now() + skew_; }
  std::optional<Work> next_due(MonotonicTime now);
  void advance(Work work);
  Json report_of(const Work& work);

  fakes::FakeApiServer& server_;
  Clock& clock_;
  const std::string name_;
  const std::string client_name_;
  const Duration skew_;
  prometheus::Registry registry_;
  kube::ClientMetrics metrics_;
  std::unique_ptr<kube::Transport> transport_;
  std::unique_ptr<Random> random_;
  kube::Client client_;
  Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  Dice dice_ GUARDED_BY(mutex_);
  std::map<std::string, Work> work_ GUARDED_BY(mutex_);  // by the Task's uid
  bool stopping_ GUARDED_BY(mutex_) = false;
  MonotonicTime next_beat_;
  bool has_lease_ = false;
  runtime::Reflector reflector_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace convoke::simulation
