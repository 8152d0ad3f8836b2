#include "controller/kube/exec_plugin.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/base/time_format.h"
#include "controller/kube/base64.h"
#include "controller/kube/child_environment.h"
#include "controller/kube/json_fields.h"

namespace convoke::kube {
namespace {

constexpr std::size_t kMaxOutputBytes = 1024 * 1024;
constexpr std::size_t kShownErrorBytes = 500;

std::string about(const ExecPlugin& plugin) {
  return "credential plugin \"" + plugin.command + "\"";
}

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    close();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }
  ~Descriptor() { close(); }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }
  int number() const { return number_; }

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;

  bool open() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read_end = Descriptor(ends[0]);
    write_end = Descriptor(ends[1]);
    return true;
  }
};

// A running plugin in a process group of its own; the destructor kills and reaps what is left of it.
class PluginProcess {
 public:
  PluginProcess() = default;
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;
  ~PluginProcess() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    wait();
  }

  // 0, or an errno.
  int start(const ExecPlugin& plugin, const std::string& exec_info);
  // True once both outputs are closed; false at the deadline.
  bool read_until_closed(const Clock& clock, MonotonicTime deadline);
  // The wait status.
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  const std::string& output() const { return output_; }
  const std::string& errors() const { return errors_; }

 private:
  static void read_some(Descriptor& from, std::string& into);

  pid_t pid_ = -1;
  Pipe out_;
  Pipe err_;
  std::string output_;
  std::string errors_;
};

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_of(const ExecPlugin& plugin, const std::string& exec_info) {
  auto environment = environment_for_children();
  const auto set = [&](const std::string& name, const std::string& value) {
    const auto same = [&](const std::string& entry) { return entry.rfind(name + "=", 0) == 0; };
    environment.erase(std::remove_if(environment.begin(), environment.end(), same), environment.end());
    environment.push_back(name + "=" + value);
  };
  for (const auto& [name, value] : plugin.env) set(name, value);
  set("KUBERNETES_EXEC_INFO", exec_info);
  return environment;
}

int PluginProcess::start(const ExecPlugin& plugin, const std::string& exec_info) {
  if (!out_.open() || !err_.open()) return errno;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_.write_end.number(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err_.write_end.number(), STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);

  std::vector<std::string> arguments{plugin.command};
  arguments.insert(arguments.end(), plugin.args.begin(), plugin.args.end());
  auto environment = environment_of(plugin, exec_info);
  const int error = posix_spawnp(&pid_, plugin.command.c_str(), &actions, &attributes,
                                 pointers_to(arguments).data(), pointers_to(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  out_.write_end.close();
  err_.write_end.close();
  if (error != 0) pid_ = -1;
  return error;
}

bool PluginProcess::read_until_closed(const Clock& clock, MonotonicTime deadline) {
  while (out_.read_end.number() >= 0 || err_.read_end.number() >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.monotonic_now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 2> waiting{pollfd{out_.read_end.number(), POLLIN, 0},
                                  pollfd{err_.read_end.number(), POLLIN, 0}};
    if (poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
      return false;
    if (waiting[0].revents != 0) read_some(out_.read_end, output_);
    if (waiting[1].revents != 0) read_some(err_.read_end, errors_);
  }
  return true;
}

void PluginProcess::read_some(Descriptor& from, std::string& into) {
  std::array<char, 4096> buffer{};
  const auto count = read(from.number(), buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) {
    from.close();
  } else if (into.size() < kMaxOutputBytes) {
    into.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string end_of(const std::string& text) {
  std::string shown = text.size() > kShownErrorBytes ? text.substr(text.size() - kShownErrorBytes) : text;
  while (!shown.empty() && shown.back() == '\n') shown.pop_back();
  return shown;
}

Result<std::string> run_plugin(const ExecPlugin& plugin, const std::string& exec_info, const Clock& clock,
                               Duration timeout) {
  PluginProcess process;
  if (const int error = process.start(plugin, exec_info); error != 0) {
    std::string message = about(plugin) + " cannot be started: " + std::strerror(error);
    if (!plugin.install_hint.empty()) message += ". " + plugin.install_hint;
    return {ErrorCode::Unauthorized, message};
  }
  if (!process.read_until_closed(clock, clock.monotonic_now() + timeout)) {
    return {ErrorCode::Timeout, about(plugin) + " did not end within " + human_duration(timeout)};
  }
  const int status = process.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return process.output();
  const std::string how = WIFEXITED(status) ? "failed with exit status " + std::to_string(WEXITSTATUS(status))
                                            : "was ended by signal " + std::to_string(WTERMSIG(status));
  const std::string errors = end_of(process.errors());
  return {ErrorCode::Unauthorized, about(plugin) + " " + how + (errors.empty() ? "" : ": " + errors)};
}

}  // namespace

PluginRunner make_plugin_runner(Clock& clock, Duration timeout) {
  return [&clock, timeout](const ExecPlugin& plugin, const std::string& exec_info) {
    return run_plugin(plugin, exec_info, clock, timeout);
  };
}

std::string exec_info_for(const ExecPlugin& plugin, const ClusterConfig& config, const std::string& ca_pem) {
  Json info = {
      {"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", {{"interactive", false}}}};
  if (plugin.provide_cluster_info) {
    Json& cluster = info["spec"]["cluster"];
    cluster["server"] = config.server;
    if (!config.tls_server_name.empty()) cluster["tls-server-name"] = config.tls_server_name;
    if (config.insecure_skip_tls_verify) cluster["insecure-skip-tls-verify"] = true;
    if (!ca_pem.empty()) cluster["certificate-authority-data"] = base64_encode(ca_pem);
  }
  return dump_json(info);
}

Result<ExecCredential> parse_exec_credential(const ExecPlugin& plugin, const std::string& output) {
  const auto wrong = [&](const std::string& what) {
    return Result<ExecCredential>(ErrorCode::Invalid, about(plugin) + ": its output " + what);
  };
  const auto document = parse_json(output);
  if (!document || !document->is_object()) return wrong("is not a JSON object");
  if (string_at(*document, "kind") != "ExecCredential") return wrong("is not an ExecCredential");
  if (string_at(*document, "apiVersion") != plugin.api_version) {
    return wrong("has apiVersion " + string_at(*document, "apiVersion") + " instead of " +
                 plugin.api_version);
  }
  const auto status = document->find("status");
  if (status == document->end() || !status->is_object()) return wrong("has no status");

  ExecCredential credential{string_at(*status, "token"), string_at(*status, "clientCertificateData"),
                            string_at(*status, "clientKeyData"), std::nullopt};
  if (credential.client_certificate.empty() != credential.client_key.empty()) {
    return wrong("must give clientCertificateData and clientKeyData together");
  }
  if (credential.token.empty() && credential.client_certificate.empty()) {
    return wrong("has neither a token nor a client certificate");
  }
  if (const auto expiry = string_at(*status, "expirationTimestamp"); !expiry.empty()) {
    const auto time = parse_time(expiry);
    if (!time) return wrong("has an expirationTimestamp that is no time: " + expiry);
    credential.expires = *time;
  }
  return credential;
}

}  // namespace convoke::kube
