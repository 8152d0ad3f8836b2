#include "controller/kube/config.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <unistd.h>

#include "controller/kube/kubeconfig.h"
#include "controller/kube/server_url.h"

namespace convoke::kube {
namespace {

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

// What Kubernetes allows and we do not, unless asked to.
Result<ClusterConfig> checked(Result<ClusterConfig> config, const ConfigOptions& options) {
  if (!config) return config;
  const auto server = parse_server_url(config->server);
  if (!server) return server.error().with_context(config->source);
  if (options.allow_insecure) return config;
  if (config->insecure_skip_tls_verify) {
    return {ErrorCode::Invalid,
            config->source +
                ": insecure-skip-tls-verify would give our credentials to anyone who answers; set "
                "certificate-authority instead, or allow insecure connections explicitly"};
  }
  if (!server->https && !server->is_loopback()) {
    return {ErrorCode::Invalid,
            config->source + ": " + config->server +
                " is not encrypted; use https://, or allow insecure connections explicitly"};
  }
  return config;
}

// The files that exist of $KUBECONFIG's list.
std::vector<std::string> existing_files(const std::string& list) {
  std::vector<std::string> paths;
  std::istringstream entries(list);
  for (std::string path; std::getline(entries, path, ':');) {
    if (!path.empty() && exists(path)) paths.push_back(path);
  }
  return paths;
}

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

Result<ClusterConfig> parse_kubeconfig(const std::string& text, const std::string& directory,
                                       const ConfigOptions& options) {
  return checked(read_kubeconfig_text(text, directory, options.context), options);
}

Result<ClusterConfig> in_cluster_config(const std::string& directory) {
  const std::string host = environment_variable("KUBERNETES_SERVICE_HOST");
  const std::string port = environment_variable("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return {ErrorCode::Invalid,
            "not inside a Pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"};
  }
  ClusterConfig config;
  config.source = "the Pod's service account in " + directory;
  const bool ipv6 = host.find(':') != std::string::npos;
  config.server = "https://" + (ipv6 ? "[" + host + "]" : host) + ":" + port;
  config.token_file = directory + "/token";
  config.certificate_authority.file = directory + "/ca.crt";
  for (const auto& file : {config.token_file, config.certificate_authority.file}) {
    if (!exists(file)) {
      return {ErrorCode::Invalid, config.source + ": " + file +
                                      " does not exist; is automountServiceAccountToken of the Pod false?"};
    }
  }
  if (auto name = first_line_of(directory + "/namespace"); !name.empty()) config.default_namespace = name;
  return checked(std::move(config), {});
}

Result<ClusterConfig> load_config(const ConfigOptions& options) {
  if (!options.kubeconfig.empty()) {
    return checked(read_kubeconfig_files({options.kubeconfig}, options.context), options);
  }
  if (const auto list = environment_variable("KUBECONFIG"); !list.empty()) {
    const auto paths = existing_files(list);
    if (paths.empty()) return {ErrorCode::Invalid, "none of the files in $KUBECONFIG exists: " + list};
    return checked(read_kubeconfig_files(paths, options.context), options);
  }
  if (!environment_variable("KUBERNETES_SERVICE_HOST").empty()) return in_cluster_config();
  const auto home_file = environment_variable("HOME") + "/.kube/config";
  if (exists(home_file)) return checked(read_kubeconfig_files({home_file}, options.context), options);
  return {ErrorCode::Invalid, "no API server is configured: name a kubeconfig, set $KUBECONFIG, create " +
                                  home_file + ", or run inside a Pod"};
}

std::string server_host(const ClusterConfig& config) {
  const auto server = parse_server_url(config.server);
  return server ? server->authority() : config.server;
}

}  // namespace convoke::kube
