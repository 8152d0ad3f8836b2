// Runs a client-go credential plugin: a program that prints an ExecCredential.
//
// Thread safety: all functions may be called from every thread; run_exec_plugin() blocks until the program
// ended. Errors: Unauthorized (the plugin failed, with the end of its standard error), Timeout, Invalid (its
// answer cannot be read). Each names the command.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/kube/config.h"
#include "controller/kube/json.h"

namespace convoke::kube {

// status of an ExecCredential.
struct ExecCredential {
  std::string token;
  std::string client_certificate;  // PEM
  std::string client_key;          // PEM
  std::optional<WallTime> expires;
};

// The seam for tests: runs the plugin with KUBERNETES_EXEC_INFO set to `exec_info` and returns its standard
// output.
using PluginRunner =
    std::function<Result<std::string>(const ExecPlugin& plugin, const std::string& exec_info)>;

// Really runs it, killing it (and its children) after `timeout`.
PluginRunner make_plugin_runner(Clock& clock, Duration timeout = std::chrono::seconds(60));

// What KUBERNETES_EXEC_INFO holds. `ca_pem` is the cluster's CA, for plugins that ask for the cluster's data.
std::string exec_info_for(const ExecPlugin& plugin, const ClusterConfig& config, const std::string& ca_pem);
Result<ExecCredential> parse_exec_credential(const ExecPlugin& plugin, const std::string& output);

}  // namespace convoke::kube
