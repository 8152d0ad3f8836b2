// Kubeconfig files, as client-go reads them. The only file that meets yaml-cpp and its exceptions.
#include "controller/kube/kubeconfig.h"

#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "controller/kube/base64.h"

namespace convoke::kube {
namespace {

// What is wrong, thrown up to the public functions below, beside yaml-cpp's own exceptions.
class Refused : public std::exception {
 public:
  explicit Refused(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

// One `name: ..., cluster|context|user: {...}` entry, and where it stands.
struct Entry {
  YAML::Node fields;
  std::string where;      // "user \"dev\" in /home/me/.kube/config"
  std::string directory;  // relative paths start here
};

struct Kubeconfig {
  std::string current_context;
  std::map<std::string, Entry> clusters;
  std::map<std::string, Entry> contexts;
  std::map<std::string, Entry> users;
};

std::string text_at(const Entry& entry, const char* field) {
  const YAML::Node value = entry.fields[field];
  if (!value || value.IsNull()) return {};
  if (!value.IsScalar()) throw Refused(entry.where + ": " + field + " must be a string");
  return value.Scalar();
}

bool flag_at(const Entry& entry, const char* field) {
  const std::string text = text_at(entry, field);
  if (text.empty() || text == "false") return false;
  if (text == "true") return true;
  throw Refused(entry.where + ": " + field + " must be true or false");
}

std::string absolute(const std::string& path, const std::string& directory) {
  if (path.empty() || directory.empty()) return path;
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

PemSource pem_at(const Entry& entry, const std::string& field) {
  PemSource source;
  const std::string inline_field = field + "-data";
  if (const std::string data = text_at(entry, inline_field.c_str()); !data.empty()) {
    auto decoded = base64_decode(data);
    if (!decoded) throw Refused(entry.where + ": " + inline_field + " is not base64");
    source.data = std::move(*decoded);
    return source;
  }
  source.file = absolute(text_at(entry, field.c_str()), entry.directory);
  return source;
}

// The first file that has an entry of a name wins it whole.
void merge_entries(const YAML::Node& root, const char* list, const char* kind, const std::string& file,
                   const std::string& directory, std::map<std::string, Entry>& into) {
  const YAML::Node entries = root[list];
  if (!entries || entries.IsNull()) return;
  if (!entries.IsSequence()) throw Refused(file + ": " + list + " must be a list");
  for (const auto& entry : entries) {
    const std::string name = entry.IsMap() && entry["name"] ? entry["name"].as<std::string>() : "";
    if (name.empty()) throw Refused(file + ": an entry of " + list + " has no name");
    const std::string where = std::string(kind) + " \"" + name + "\" in " + file;
    const YAML::Node fields = entry[kind];
    if (fields && !fields.IsNull() && !fields.IsMap())
      throw Refused(where + ": " + kind + " must be a mapping");
    into.emplace(
        name, Entry{fields && fields.IsMap() ? fields : YAML::Node(YAML::NodeType::Map), where, directory});
  }
}

void merge(const std::string& text, const std::string& file, const std::string& directory, Kubeconfig& into) {
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& error) {
    throw Refused(file + ": " + error.what());
  }
  if (!root || root.IsNull()) return;
  if (!root.IsMap()) throw Refused(file + " is not a kubeconfig");
  const YAML::Node current = root["current-context"];
  if (into.current_context.empty() && current && current.IsScalar()) into.current_context = current.Scalar();
  merge_entries(root, "clusters", "cluster", file, directory, into.clusters);
  merge_entries(root, "contexts", "context", file, directory, into.contexts);
  merge_entries(root, "users", "user", file, directory, into.users);
}

std::string names_of(const std::map<std::string, Entry>& entries) {
  std::string names;
  for (const auto& [name, entry] : entries) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "there are none" : "there are: " + names;
}

const Entry& find(const std::map<std::string, Entry>& entries, const std::string& name, const char* kind,
                  const std::string& who) {
  const auto found = entries.find(name);
  if (found != entries.end()) return found->second;
  throw Refused(who + " names the " + kind + " \"" + name + "\", which does not exist (" + names_of(entries) +
                ")");
}

void refuse_fields(const Entry& entry, std::initializer_list<std::pair<const char*, const char*>> refusals) {
  for (const auto& [field, why] : refusals) {
    const YAML::Node value = entry.fields[field];
    const bool set = value && !value.IsNull() && !(value.IsScalar() && value.Scalar().empty());
    if (set) throw Refused(entry.where + ": " + field + " is not supported: " + why);
  }
}

void read_cluster(const Entry& cluster, ClusterConfig& config) {
  refuse_fields(cluster, {{"proxy-url", "connect to the API server directly"}});
  config.server = text_at(cluster, "server");
  if (config.server.empty()) throw Refused(cluster.where + ": server is missing");
  config.certificate_authority = pem_at(cluster, "certificate-authority");
  config.tls_server_name = text_at(cluster, "tls-server-name");
  config.insecure_skip_tls_verify = flag_at(cluster, "insecure-skip-tls-verify");
  if (config.insecure_skip_tls_verify && !config.certificate_authority.empty()) {
    throw Refused(cluster.where +
                  ": certificate-authority and insecure-skip-tls-verify contradict each other");
  }
}

bool is_exec_version(const std::string& version) {
  return version == "client.authentication.k8s.io/v1" || version == "client.authentication.k8s.io/v1beta1";
}

std::map<std::string, std::string> environment_at(const Entry& exec) {
  std::map<std::string, std::string> result;
  for (const auto& variable : exec.fields["env"]) {
    result[variable["name"].as<std::string>()] = variable["value"].as<std::string>();
  }
  return result;
}

std::optional<ExecPlugin> exec_at(const Entry& user) {
  const YAML::Node node = user.fields["exec"];
  if (!node || node.IsNull()) return std::nullopt;
  if (!node.IsMap()) throw Refused(user.where + ": exec must be a mapping");
  const Entry exec{node, user.where + ": exec", user.directory};
  ExecPlugin plugin;
  plugin.api_version = text_at(exec, "apiVersion");
  if (!is_exec_version(plugin.api_version)) {
    throw Refused(exec.where + ".apiVersion must be client.authentication.k8s.io/v1 or v1beta1, not \"" +
                  plugin.api_version + "\"");
  }
  plugin.command = text_at(exec, "command");
  if (plugin.command.empty()) throw Refused(exec.where + ".command is missing");
  // A plain name is looked up in PATH.
  if (plugin.command.find('/') != std::string::npos)
    plugin.command = absolute(plugin.command, user.directory);
  if (text_at(exec, "interactiveMode") == "Always") {
    throw Refused(exec.where + ".interactiveMode is Always, but there is nobody at a terminal");
  }
  for (const auto& argument : node["args"]) plugin.args.push_back(argument.as<std::string>());
  plugin.env = environment_at(exec);
  plugin.install_hint = text_at(exec, "installHint");
  plugin.provide_cluster_info = flag_at(exec, "provideClusterInfo");
  return plugin;
}

void read_user(const Entry& user, ClusterConfig& config) {
  constexpr const char* kNoImpersonation = "give the user's own permissions instead";
  refuse_fields(user, {{"auth-provider", "Kubernetes removed it too; use an exec plugin"},
                       {"as", kNoImpersonation},
                       {"as-uid", kNoImpersonation},
                       {"as-groups", kNoImpersonation},
                       {"as-user-extra", kNoImpersonation}});
  config.client_certificate = pem_at(user, "client-certificate");
  config.client_key = pem_at(user, "client-key");
  if (config.client_certificate.empty() != config.client_key.empty()) {
    throw Refused(user.where + ": client-certificate and client-key must be given together");
  }
  config.token = text_at(user, "token");
  config.token_file = absolute(text_at(user, "tokenFile"), user.directory);
  config.username = text_at(user, "username");
  config.password = text_at(user, "password");
  config.exec = exec_at(user);
}

ClusterConfig resolve(const Kubeconfig& kubeconfig, const std::string& files, const std::string& wanted) {
  const std::string name = wanted.empty() ? kubeconfig.current_context : wanted;
  if (name.empty()) {
    throw Refused(files + ": current-context is not set; set it, or name a context (" +
                  names_of(kubeconfig.contexts) + ")");
  }
  ClusterConfig config;
  config.source = files + ", context " + name;
  const Entry& context = find(kubeconfig.contexts, name, "context",
                              wanted.empty() ? files + ": current-context" : "the configuration");
  read_cluster(find(kubeconfig.clusters, text_at(context, "cluster"), "cluster", context.where), config);
  const std::string user = text_at(context, "user");
  if (!user.empty()) read_user(find(kubeconfig.users, user, "user", context.where), config);
  if (const std::string space = text_at(context, "namespace"); !space.empty())
    config.default_namespace = space;
  return config;
}

// Runs `body` and turns what it throws into an Error.
template <class Body>
Result<ClusterConfig> guarded(const std::string& files, const Body& body) {
  try {
    return body();
  } catch (const Refused& refused) {
    return {ErrorCode::Invalid, refused.what()};
  } catch (const std::exception& error) {
    return {ErrorCode::Invalid, files + ": " + error.what()};
  }
}

std::string read_kubeconfig_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) throw Refused("kubeconfig " + path + " cannot be read");
  return text.str();
}

}  // namespace

Result<ClusterConfig> read_kubeconfig_text(const std::string& text, const std::string& directory,
                                           const std::string& context) {
  return guarded("kubeconfig", [&] {
    Kubeconfig kubeconfig;
    merge(text, "kubeconfig", directory, kubeconfig);
    return resolve(kubeconfig, "kubeconfig", context);
  });
}

Result<ClusterConfig> read_kubeconfig_files(const std::vector<std::string>& paths,
                                            const std::string& context) {
  std::string files = "kubeconfig";
  for (const auto& path : paths) files += (&path == &paths.front() ? " " : ":") + path;
  return guarded(files, [&] {
    Kubeconfig kubeconfig;
    for (const auto& path : paths) {
      const auto directory = std::filesystem::absolute(path).parent_path().string();
      merge(read_kubeconfig_file(path), path, directory, kubeconfig);
    }
    return resolve(kubeconfig, files, context);
  });
}

}  // namespace convoke::kube
