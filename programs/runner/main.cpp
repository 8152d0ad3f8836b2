// convoke-runner: the reference agent. Here the real parts are made and put together.
//
// Exit status: 0 stopped as asked, 1 cannot go on, 2 wrong usage or configuration.

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "controller/base/signals.h"
#include "controller/kube/child_environment.h"
#include "controller/kube/client_metrics.h"
#include "controller/kube/config.h"
#include "controller/kube/cpprest_transport.h"
#include "programs/build_info/build_info.h"
#include "programs/runner/guardian.h"
#include "programs/runner/runner.h"

namespace convoke::runner {
namespace {

constexpr int kCannotGoOn = 1;
constexpr int kWrongUsage = 2;
constexpr int kRenewalsPerTimeout = 3;

int fail(const Error& error, int code) {
  std::cerr << "convoke-runner: " << error.message << "\n";
  return code;
}

// Where the attempts' folders are; one of our own is removed with us.
class WorkDirectory {
 public:
  static Result<std::unique_ptr<WorkDirectory>> make(const std::string& configured) {
    if (!configured.empty()) {
      std::error_code problem;
      std::filesystem::create_directories(configured, problem);
      if (problem) return Error{ErrorCode::Invalid, "workDirectory " + configured + ": " + problem.message()};
      return std::unique_ptr<WorkDirectory>(new WorkDirectory(configured, false));
    }
    const char* parent = std::getenv("TMPDIR");
    std::string path =
        std::string(parent == nullptr || *parent == '\0' ? "/tmp" : parent) + "/convoke-runner-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr)
      return Error{ErrorCode::Invalid,
                   "making " + path + ": " + std::strerror(errno) + ": set TMPDIR or workDirectory"};
    return std::unique_ptr<WorkDirectory>(new WorkDirectory(path, true));
  }
  ~WorkDirectory() {
    std::error_code ignored;
    if (is_ours_) std::filesystem::remove_all(path_, ignored);
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  WorkDirectory(std::string path, bool is_ours) : path_(std::move(path)), is_ours_(is_ours) {}
  const std::string path_;
  const bool is_ours_;
};

// Takes the signal from the thread that gets it to the Runner, which is made later.
class StopRequest {
 public:
  void ask() {
    MutexLock lock(mutex_);
    asked_ = true;
    if (runner_ != nullptr) runner_->request_stop();
  }
  // Null: there is none any more.
  void forward_to(Runner* runner) {
    MutexLock lock(mutex_);
    runner_ = runner;
    if (asked_ && runner_ != nullptr) runner_->request_stop();
  }

 private:
  Mutex mutex_;
  bool asked_ GUARDED_BY(mutex_) = false;
  Runner* runner_ GUARDED_BY(mutex_) = nullptr;
};

int run(const RunnerConfig& config) {
  const auto guardian = Guardian::start();
  if (!guardian) return fail(guardian.error(), kCannotGoOn);
  kube::skip_system_ca_bundle();
  SystemClock clock;
  StopRequest stop;
  const SignalStop signals(clock, [&](int) { stop.ask(); });
  const auto random = make_system_random();
  const Logger log(make_stderr_sink(), clock, config.log_level, config.log_format);
  const auto& build = programs::build_info();
  log.info("starting", {{"version", build.version},
                        {"commit", build.commit},
                        {"built", build.date},
                        {"compiler", build.compiler}});

  const auto cluster = kube::load_config({config.kubeconfig, config.context});
  if (!cluster) return fail(cluster.error(), kWrongUsage);
  const auto transport =
      kube::make_cpprest_transport(*cluster, clock, log, {"convoke-runner/" CONVOKE_VERSION});
  if (!transport) return fail(transport.error(), kWrongUsage);
  const auto folder = WorkDirectory::make(config.work_directory);
  if (!folder) return fail(folder.error(), kWrongUsage);
  const auto journal = Journal::open(config.journal, config.name, clock, log);
  if (!journal) return fail(journal.error(), kWrongUsage);

  prometheus::Registry metrics;
  kube::ClientMetrics client_metrics(metrics, kube::server_host(*cluster));
  kube::Client client(**transport, clock, *random, client_metrics, {"convoke-runner"});
  kube::Client heartbeat_client(**transport, clock, *random, client_metrics,
                                {"convoke-runner", config.heartbeat_timeout / kRenewalsPerTimeout});
  const auto launcher = make_process_launcher(clock, log, **guardian);
  const Workshop workshop{config, *launcher, (*folder)->path(), kube::environment_for_children()};

  Runner runner({client, heartbeat_client, clock, *random, log, **journal, workshop});
  stop.forward_to(&runner);
  const auto ended = runner.run();
  stop.forward_to(nullptr);
  client.shutdown();
  (*transport)->shutdown();
  return ended ? EXIT_SUCCESS : fail(ended.error(), kCannotGoOn);
}

}  // namespace
}  // namespace convoke::runner

int main(int argc, char** argv) {
  const auto invocation = convoke::runner::load_runner_config(argc, argv);
  if (!invocation) return convoke::runner::fail(invocation.error(), convoke::runner::kWrongUsage);
  if (!invocation->print.empty()) {
    std::cout << invocation->print;
    return EXIT_SUCCESS;
  }
  return convoke::runner::run(invocation->config);
}
