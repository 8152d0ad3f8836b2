#include "tests/simulation/operator_process.h"

#include <utility>

namespace convoke::simulation {
namespace {

class Nowhere final : public LogSink {
 public:
  void write(LogLevel, std::string_view) override {}
  void flush() override {}
};

programs::Invocation invocation() {
  programs::Invocation invocation;
  programs::OperatorConfig& config = invocation.config;
  config.serve.address = "";
  config.leader_election.namespace_ = "default";
  // Fewer threads make a simulation faster; two workers are enough to meet each other.
  config.workers = {.task = 2, .workflow_run = 2, .workflow = 1, .agent = 1, .dispatch = 4};
  config.drain = std::chrono::seconds(5);
  return invocation;
}

}  // namespace

OperatorProcess::OperatorProcess(fakes::FakeApiServer& server, Services& services, fakes::FakeClock& clock,
                                 const std::string& client, std::uint64_t seed, std::shared_ptr<LogSink> log)
    : server_(server),
      clock_(clock),
      client_(client),
      random_(make_seeded_random(seed)),
      log_(std::make_shared<LevelSink>(log != nullptr ? std::move(log) : std::make_shared<Nowhere>(),
                                       LogLevel::Info)),
      transport_(server.connect(client)),
      agents_(services.connect(clock_)),
      operator_(std::make_unique<programs::Operator>(
          invocation(),
          programs::OperatorEnvironment{
              clock_, *random_, *transport_,
              Logger(log_, clock_, LogLevel::Info, LogFormat::Text).with({{"process", client}}), *log_,
              "fake", client, agents_.get()})),
      thread_(clock.start_thread(client, [this] {
        (void)operator_->run();
        ended_ = true;
      })) {}

OperatorProcess::~OperatorProcess() {
  kill();
  thread_->join();
}

void OperatorProcess::freeze() {
  server_.freeze(client_, true);
  clock_.freeze();
}

void OperatorProcess::thaw() {
  clock_.thaw();
  server_.freeze(client_, false);
}

void OperatorProcess::kill() {
  server_.partition(client_, true);
  agents_->cut();
  thaw();
  operator_->request_stop();
}

void OperatorProcess::stop() {
  thaw();
  operator_->request_stop();
}

}  // namespace convoke::simulation
