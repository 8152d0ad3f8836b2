// convoke-check: does this installation work? Here the real parts are made and put together.
//
// Exit status: 0 the sample succeeded, 1 it did not, 2 wrong usage or configuration.

#include <cstdlib>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <prometheus/registry.h>

#include "controller/base/random.h"
#include "controller/base/time_format.h"
#include "controller/kube/child_environment.h"
#include "controller/kube/client_metrics.h"
#include "controller/kube/config.h"
#include "controller/kube/cpprest_transport.h"
#include "programs/build_info/build_info.h"
#include "programs/check/check.h"

namespace convoke::check {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr std::size_t kSuffixBytes = 4;

int fail(const Error& error, int code) {
  std::cerr << "convoke-check: " << error.message << "\n";
  return code;
}

struct Invocation {
  CheckConfig config;
  bool answer = false;
  std::string print;  // not empty (--help, --version): print it and exit with 0
};

void add_flags(CLI::App& app, Invocation& invocation) {
  constexpr std::size_t kFlagColumn = 36;
  auto& config = invocation.config;
  app.get_formatter()->column_width(kFlagColumn);
  app.set_version_flag("--version", programs::version_text("convoke-check"));
  app.add_option("--kubeconfig", config.kubeconfig,
                 "Kubeconfig file. Empty: $KUBECONFIG, then in-cluster credentials, then ~/.kube/config");
  app.add_option("--context", config.context, "Context of the kubeconfig. Empty: its current one");
  app.add_option("--namespace", config.namespace_, "Where the sample runs")->capture_default_str();
  app.add_option("--type", config.type, "Type of the sample's Tasks, which an agent must be capable of")
      ->capture_default_str();
  const auto* agent = app.add_option("--agent", config.agent, "The only agent that may do them. Empty: any");
  app.add_option_function<std::string>(
         "--timeout",
         [&config](const std::string& text) {
           const auto timeout = parse_duration(text);
           if (!timeout) throw CLI::ValidationError("--timeout", timeout.error().message);
           config.timeout = *timeout;
         },
         "How long it may take [2m]")
      ->type_name("DURATION");
  app.add_flag("--delete-agent", config.delete_agent, "Delete the Agent of --agent at the end")
      ->needs(const_cast<CLI::Option*>(agent));
  app.add_flag("--answer", invocation.answer,
               "Instead of all that: be the command of a Task of the sample, and write its outputs");
}

Result<Invocation> read_command_line(int argc, const char* const* argv) {
  Invocation invocation;
  try {
    CLI::App app(
        "Checks an installation of Convoke: makes a Workflow and a run of it, waits for the run to succeed, "
        "says why if it does not, and removes what it made.",
        "convoke-check");
    add_flags(app, invocation);
    try {
      app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      invocation.print = app.help();
    }
  } catch (const CLI::CallForVersion& version) {
    invocation.print = version.what();
  } catch (const CLI::Error& error) {
    return Error{ErrorCode::Invalid, std::string(error.what()) + " (see --help)"};
  }
  return invocation;
}

int check(const CheckConfig& config) {
  kube::skip_system_ca_bundle();
  SystemClock clock;
  const auto random = make_system_random();
  const Logger log(make_stderr_sink(), clock, LogLevel::Warn, LogFormat::Text);
  const auto cluster = kube::load_config({config.kubeconfig, config.context});
  if (!cluster) return fail(cluster.error(), kWrongUsage);
  const auto transport =
      kube::make_cpprest_transport(*cluster, clock, log, {"convoke-check/" CONVOKE_VERSION});
  if (!transport) return fail(transport.error(), kWrongUsage);

  prometheus::Registry metrics;
  kube::ClientMetrics client_metrics(metrics, kube::server_host(*cluster));
  kube::Client client(**transport, clock, *random, client_metrics, {"convoke-check"});
  const auto outcome = run_check(client, clock, config, random->hex(kSuffixBytes), std::cout);
  (*transport)->shutdown();
  return outcome ? EXIT_SUCCESS : fail(outcome.error(), kFailed);
}

}  // namespace
}  // namespace convoke::check

int main(int argc, char** argv) {
  using namespace convoke::check;
  const auto invocation = read_command_line(argc, argv);
  if (!invocation) return fail(invocation.error(), kWrongUsage);
  if (!invocation->print.empty()) {
    std::cout << invocation->print;
    return EXIT_SUCCESS;
  }
  if (invocation->answer) {
    const auto written = write_answer();
    return written ? EXIT_SUCCESS : fail(written.error(), kFailed);
  }
  return check(invocation->config);
}
