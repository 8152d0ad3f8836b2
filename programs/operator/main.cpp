// convoke-operator: the only place that builds the real clock, transport and log.

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include <unistd.h>

#include "controller/base/signals.h"
#include "controller/kube/beast_http_client.h"
#include "controller/kube/config.h"
#include "controller/kube/cpprest_transport.h"
#include "controller/kube/server_clock.h"
#include "programs/build_info/build_info.h"
#include "programs/operator/heap.h"
#include "programs/operator/operator.h"

namespace {

using namespace convoke;

std::string host_name() {
  std::string name(256, '\0');
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.c_str();
}

std::string host_of(const std::string& url) {
  const auto begin = url.find("://");
  const auto host = begin == std::string::npos ? url : url.substr(begin + 3);
  return host.substr(0, host.find('/'));
}

kube::TransportOptions transport_options(const programs::OperatorConfig& config) {
  kube::TransportOptions options;
  options.user_agent = "convoke-operator/" CONVOKE_VERSION;
  options.stream_idle_timeout = std::chrono::duration_cast<std::chrono::seconds>(config.watch.idle_timeout);
  return options;
}

kube::HttpClientOptions http_options(const programs::OperatorConfig& config) {
  kube::HttpClientOptions options;
  options.user_agent = "convoke-operator/" CONVOKE_VERSION;
  options.allow_loopback = config.dispatch.allow_loopback;
  return options;
}

// One line for each mistake, so that each says whose it is.
int fail(const Error& error) {
  std::istringstream lines(error.message);
  for (std::string line; std::getline(lines, line);) std::cerr << "convoke-operator: " << line << '\n';
  return 2;
}

int run(const programs::Invocation& invocation) {
  const auto& config = invocation.config;
  SystemClock system_clock;
  kube::ServerClock clock(system_clock);
  const auto random = make_system_random();
  const auto sink = std::make_shared<LevelSink>(make_stderr_sink(), config.log.level);
  const Logger log(sink, clock, LogLevel::Debug, config.log.format);
  const auto cluster = kube::load_config({config.kubeconfig, config.context, config.allow_insecure});
  if (!cluster) return fail(cluster.error());

  programs::Operator* running = nullptr;
  Mutex mutex;
  bool stop_wanted = false;
  // Made before any other thread, whose signals it takes.
  const SignalStop signals(
      clock,
      [&](int signal) {
        log.info("stopping", {{"signal", signal}});
        MutexLock lock(mutex);
        stop_wanted = true;
        if (running != nullptr) running->request_stop();
      },
      [&] {
        MutexLock lock(mutex);
        if (running != nullptr) running->request_reload();
      });
  const auto transport = kube::make_cpprest_transport(*cluster, clock, log, transport_options(config));
  if (!transport) return fail(transport.error());
  kube::DatedTransport dated_transport(**transport, clock, log);

  const auto agent_http = kube::make_beast_http_client(clock, http_options(config));

  programs::Operator convoke_operator(invocation,
                                      {clock, *random, dated_transport, log, *sink, host_of(cluster->server),
                                       host_name() + "_" + random->hex(4), agent_http.get()});
  const auto& build = programs::build_info();
  log.info("starting", {{"version", build.version},
                        {"commit", build.commit},
                        {"built", build.date},
                        {"compiler", build.compiler},
                        {"apiServer", cluster->server},
                        {"credentials", cluster->source}});
  {
    MutexLock lock(mutex);
    running = &convoke_operator;
    if (stop_wanted) convoke_operator.request_stop();
  }
  const programs::HeapTrimmer heap(clock);
  const auto ended = convoke_operator.run();
  {
    MutexLock lock(mutex);
    running = nullptr;
  }
  if (!ended) log.error("ended", {{"error", ended.error().message}});
  log.flush();
  return ended ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  programs::keep_heap_small();
  const auto invocation = programs::load_operator_config(argc, argv);
  if (!invocation) return fail(invocation.error());
  if (!invocation->print.empty()) {
    std::cout << invocation->print;
    return EXIT_SUCCESS;
  }
  return run(*invocation);
}
