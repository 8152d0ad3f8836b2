// kubectl-convoke: Convoke for people, as a plugin of kubectl. Here the real parts are made and put together.
//
// Exit status: 0 done, 1 the answer is no (findings of lint, a run that did not succeed), 2 it could not be
// done (wrong usage, no cluster, no right), 130 interrupted.

#include <cstdlib>
#include <iostream>
#include <memory>

#include <prometheus/registry.h>
#include <unistd.h>

#include "controller/base/signals.h"
#include "controller/kube/child_environment.h"
#include "controller/kube/client_metrics.h"
#include "controller/kube/config.h"
#include "controller/kube/cpprest_transport.h"
#include "programs/kubectl-convoke/commands.h"

namespace convoke::plugin {
namespace {

// A person waits.
constexpr Duration kDeadline = std::chrono::seconds(15);

int fail(const Error& error, const Style& style) {
  std::cerr << style.red("error:") << " " << error.message << "\n";
  return kCannot;
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

Style style_for(const Invocation& invocation, int file_descriptor) {
  const bool plain = invocation.no_color || is_set("NO_COLOR") || ::isatty(file_descriptor) == 0;
  return {!plain, !plain};
}

int run_on_cluster(const Invocation& invocation, const Inputs& inputs, const Style& errors) {
  kube::skip_system_ca_bundle();
  SystemClock clock;
  StopSignal stop(clock);
  const SignalStop signals(clock, [&](int) { stop.stop(); });
  const auto random = make_system_random();
  const Logger log(make_stderr_sink(), clock, LogLevel::Error, LogFormat::Text);
  const auto config =
      kube::load_config({invocation.kubeconfig, invocation.context, invocation.allow_insecure});
  if (!config) return fail(without_cluster(config.error(), invocation), errors);
  const auto transport =
      kube::make_cpprest_transport(*config, clock, log, {"kubectl-convoke/" CONVOKE_VERSION});
  if (!transport) return fail(without_cluster(transport.error(), invocation), errors);

  prometheus::Registry metrics;
  kube::ClientMetrics client_metrics(metrics, kube::server_host(*config));
  kube::Client client(**transport, clock, *random, client_metrics, {"kubectl-convoke", kDeadline});
  std::string namespace_ = invocation.namespace_.empty() ? config->default_namespace : invocation.namespace_;
  if (invocation.all_namespaces) namespace_.clear();
  const Cluster cluster(client, namespace_);
  const Style style = style_for(invocation, STDOUT_FILENO);
  const bool live = ::isatty(STDOUT_FILENO) != 0 && !invocation.json();
  const auto status =
      run_command({cluster, clock, *random, stop, std::cout, std::cerr, style, invocation.json(), live},
                  invocation, inputs);
  client.shutdown();
  (*transport)->shutdown();
  return status ? *status : fail(status.error(), errors);
}

int run(int argc, const char* const* argv) {
  const auto invocation = read_command_line(argc, argv);
  if (!invocation) return fail(invocation.error(), {});
  const Style errors = style_for(*invocation, STDERR_FILENO);
  if (!invocation->print.empty()) {
    std::cout << invocation->print;
    return kDone;
  }
  const auto inputs = read_inputs(*invocation, std::cin);
  if (!inputs) return fail(inputs.error(), errors);
  if (!is_offline(*invocation, *inputs)) return run_on_cluster(*invocation, *inputs, errors);
  const auto status = run_offline(*invocation, *inputs, style_for(*invocation, STDOUT_FILENO), std::cin,
                                  std::cout, std::cerr);
  return status ? *status : fail(status.error(), errors);
}

}  // namespace
}  // namespace convoke::plugin

int main(int argc, char** argv) {
  return convoke::plugin::run(argc, argv);
}
