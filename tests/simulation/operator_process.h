// One life of an operator in a simulation: the whole of convoke-operator, but for its HTTP endpoint, on a
// connection of its own.
//
// freeze() is SIGSTOP, as a machine without memory or a paused virtual machine would do it: nothing of the
// process runs, its requests wait, and time goes on.
//
// kill() cuts it off from the API server for ever, as SIGKILL would, at whatever call it is in; its threads
// then end by themselves while the simulation goes on. stop() is SIGTERM.
//
// Thread safety: for the driver. Ownership: server, services and clock outlive it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/level_sink.h"
#include "controller/base/random.h"
#include "programs/operator/operator.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/freezable_clock.h"
#include "tests/simulation/services.h"

namespace convoke::simulation {

class OperatorProcess {
 public:
  OperatorProcess(fakes::FakeApiServer& server, Services& services, fakes::FakeClock& clock,
                  const std::string& client, std::uint64_t seed, std::shared_ptr<LogSink> log);
  ~OperatorProcess();

  void freeze();
  void thaw();
  void kill();
  void stop();
  bool has_ended() const { return ended_; }
  const std::string& client() const { return client_; }

 private:
  fakes::FakeApiServer& server_;
  fakes::FreezableClock clock_;
  const std::string client_;
  std::unique_ptr<Random> random_;
  std::shared_ptr<LevelSink> log_;
  std::unique_ptr<kube::Transport> transport_;
  std::unique_ptr<Services::Connection> agents_;
  std::unique_ptr<programs::Operator> operator_;
  std::atomic<bool> ended_ = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace convoke::simulation
