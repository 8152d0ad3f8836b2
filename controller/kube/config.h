// Where the API server is and how to prove who we are: from a kubeconfig or from inside a Pod.
//
// Pure reading; rotation of files is the credentials' work (credentials.h).
// Errors: Invalid, naming the file, the context and the field that is wrong and what to do.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/result.h"

namespace convoke::kube {

// PEM text given inline, or a file that is read again when it changes. Both empty: absent.
struct PemSource {
  std::string data;
  std::string file;
  bool empty() const { return data.empty() && file.empty(); }
};

// A client-go exec credential plugin (client.authentication.k8s.io/v1 and v1beta1).
struct ExecPlugin {
  std::string api_version;
  std::string command;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;
  std::string install_hint;
  bool provide_cluster_info = false;
};

struct ClusterConfig {
  std::string server;  // "https://127.0.0.1:6443", "https://[fd00::1]:443/prefix"
  PemSource certificate_authority;
  std::string tls_server_name;  // empty: the host of `server`
  bool insecure_skip_tls_verify = false;
  PemSource client_certificate;
  PemSource client_key;
  std::string token;
  std::string token_file;
  std::string username;
  std::string password;
  std::optional<ExecPlugin> exec;
  std::string default_namespace = "default";
  std::string source;  // for messages: "kubeconfig /home/me/.kube/config, context dev"
};

struct ConfigOptions {
  // A path; empty: $KUBECONFIG (a list of files, merged), then in-cluster, then ~/.kube/config.
  std::string kubeconfig;
  std::string context;  // empty: current-context
  bool allow_insecure =
      false;  // without it, insecure-skip-tls-verify and http:// to a non-loopback host are refused
};

Result<ClusterConfig> load_config(const ConfigOptions& options);
// "127.0.0.1:6443", the `host` label of rest_client_* metrics.
std::string server_host(const ClusterConfig& config);
// `text` is the kubeconfig; relative paths are taken from `directory`.
Result<ClusterConfig> parse_kubeconfig(const std::string& text, const std::string& directory,
                                       const ConfigOptions& options);
// KUBERNETES_SERVICE_HOST/PORT and the mounted ServiceAccount below `directory`.
Result<ClusterConfig> in_cluster_config(
    const std::string& directory = "/var/run/secrets/kubernetes.io/serviceaccount");

}  // namespace convoke::kube
