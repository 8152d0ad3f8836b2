// Every exception of yaml-cpp and CLI11 ends in this file.
#include "programs/operator/config.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <yaml-cpp/yaml.h>

#include "controller/base/time_format.h"
#include "controller/serve/address.h"
#include "programs/build_info/build_info.h"
#include "programs/operator/namespaces.h"
#include "programs/operator/setting.h"

namespace convoke::programs {

namespace {

using namespace std::chrono_literals;

constexpr int kMaxWorkers = 256;

Status check_address(const std::string& text) {
  const auto address = serve::parse_listen_address(text);
  if (!address) return address.error();
  return {};
}

Status check_not_empty(const std::string& text) {
  if (text.empty()) return Error{ErrorCode::Invalid, "must not be empty"};
  return {};
}

// Keys of one section stand together: print_yaml relies on it.
using Settings = std::vector<Setting>;

void add_connection(Settings& out, OperatorConfig& config) {
  out.push_back(text_setting(
      "kubeconfig", "Kubeconfig file. Empty: $KUBECONFIG, then in-cluster credentials, then ~/.kube/config",
      config.kubeconfig));
  out.push_back(text_setting("context", "Context of the kubeconfig. Empty: its current one", config.context));
  out.push_back(bool_setting(
      "allowInsecure", "Accept a kubeconfig that skips TLS verification, and plain http to another machine",
      config.allow_insecure));
  out.push_back(text_setting("namespace", "Watch only these namespaces, separated by commas. Empty: all",
                             config.namespace_, check_namespaces));
}

void add_leader_election(Settings& out, LeaderElectionConfig& config) {
  out.push_back(bool_setting("leaderElection.enabled", "Let one of several operators lead", config.enabled));
  out.push_back(text_setting("leaderElection.namespace",
                             "Namespace of the leader Lease. Empty: the Pod's own, else \"default\"",
                             config.namespace_));
  out.push_back(
      text_setting("leaderElection.name", "Name of the leader Lease", config.name, check_not_empty));
  out.push_back(duration_setting("leaderElection.leaseDuration",
                                 "Others take over when they saw no renewal for this long; whole seconds",
                                 config.lease_duration, 1s, 10min));
  out.push_back(duration_setting("leaderElection.renewDeadline",
                                 "The leader gives up when it could not renew for this long",
                                 config.renew_deadline, 100ms, 10min));
  out.push_back(duration_setting("leaderElection.retryPeriod",
                                 "Time between two attempts to lead or to renew", config.retry_period, 50ms,
                                 10min));
}

void add_serving(Settings& out, OperatorConfig& config) {
  out.push_back(text_setting("serve.address", "Where /healthz, /readyz and /metrics are served: [HOST]:PORT",
                             config.serve.address, check_address));
  out.push_back(choice_setting<LogLevel>("log.level", "Least level that is logged", config.log.level,
                                         {{"Debug", LogLevel::Debug},
                                          {"Info", LogLevel::Info},
                                          {"Warn", LogLevel::Warn},
                                          {"Error", LogLevel::Error},
                                          {"Off", LogLevel::Off}}));
  out.push_back(choice_setting<LogFormat>("log.format", "JSON objects, or text for a terminal",
                                          config.log.format,
                                          {{"Json", LogFormat::Json}, {"Text", LogFormat::Text}}));
  out.push_back(text_setting("audit.path",
                             "File that gets one JSON line for each decision and phase change, or - for "
                             "standard output. Empty: none",
                             config.audit.path));
}

void add_work(Settings& out, OperatorConfig& config) {
  const auto workers = [&out](const char* path, const char* of, int& value) {
    out.push_back(int_setting(path, std::string(of) + " reconciled at the same time", value, 1, kMaxWorkers));
  };
  workers("workers.task", "Tasks", config.workers.task);
  workers("workers.workflowRun", "WorkflowRuns", config.workers.workflow_run);
  workers("workers.workflow", "Workflows", config.workers.workflow);
  workers("workers.agent", "Agents", config.workers.agent);
  out.push_back(number_setting("events.perSecond", "Kubernetes Events sent a second in the long run",
                               config.events.per_second, 0.1, 10'000));
  out.push_back(
      int_setting("events.burst", "Kubernetes Events sent at once", config.events.burst, 1, 100'000));
  out.push_back(duration_setting("drain", "How long running reconciles may take to end on shutdown",
                                 config.drain, 0s, 1h));
  out.push_back(
      duration_setting("task.runningWriteDelay",
                       "A Task that ends sooner than this after it began is never written as Running",
                       config.task.running_write_delay, 0s, 1min));
  out.push_back(duration_setting("run.statusInterval",
                                 "Changes of a run's steps within this time become one write",
                                 config.run.status_interval, 0s, 1min));
}

// All there is to set, in the order in which it is printed. The settings refer into `config`.
Settings settings_of(OperatorConfig& config) {
  Settings out;
  add_connection(out, config);
  add_leader_election(out, config.leader_election);
  add_serving(out, config);
  add_work(out, config);
  return out;
}

// Collects mistakes, one line each, so that a person sees all of them at once.
class Mistakes {
 public:
  void add(const std::string& line) { text_ += (text_.empty() ? "" : "\n") + line; }
  Status status() const {
    if (text_.empty()) return {};
    return Error{ErrorCode::Invalid, text_};
  }

 private:
  std::string text_;
};

// --- The YAML file.

class YamlReader {
 public:
  YamlReader(Settings& settings, std::string file, Mistakes& mistakes)
      : settings_(settings), file_(std::move(file)), mistakes_(mistakes) {}

  void read(const std::string& text) {
    try {
      const auto documents = YAML::LoadAll(text);
      if (documents.size() > 1) return mistakes_.add(file_ + ": more than one YAML document");
      if (documents.empty() || documents.front().IsNull()) return;
      if (!documents.front().IsMap())
        return mistake(documents.front(), "", "the configuration is not a map of keys");
      read_map(documents.front(), "");
    } catch (const YAML::Exception& error) {
      mistakes_.add(where(error.mark) + ": " + error.msg);
    }
  }

 private:
  void read_map(const YAML::Node& map, const std::string& prefix) {
    std::set<std::string> seen;
    for (const auto& item : map) {
      const std::string path = prefix + (item.first.IsScalar() ? item.first.Scalar() : "?");
      if (!seen.insert(path).second) {
        mistake(item.first, path, "is there twice");
      } else if (const auto setting = find(path); setting != settings_.end()) {
        read_value(item.second, *setting);
      } else if (known_below(path + ".").empty()) {
        mistake(item.first, path, "there is no such key; known here: " + known_below(prefix));
      } else if (item.second.IsMap()) {
        read_map(item.second, path + ".");
      } else if (!item.second.IsNull()) {
        mistake(item.second, path, "is not a map of keys; known here: " + known_below(path + "."));
      }
    }
  }

  void read_value(const YAML::Node& node, Setting& setting) {
    if (!node.IsScalar() && !node.IsNull()) return mistake(node, setting.path, "is not a single value");
    const Status status = setting.set(node.IsNull() ? "" : node.Scalar());
    if (!status) return mistake(node, setting.path, status.error().message);
    setting.source = file_ + ':' + std::to_string(node.Mark().line + 1);
  }

  Settings::iterator find(const std::string& path) {
    return std::find_if(settings_.begin(), settings_.end(), [&](const Setting& s) { return s.path == path; });
  }

  // The keys directly below a prefix, as a list for people; empty if there are none.
  std::string known_below(const std::string& prefix) const {
    std::string list;
    std::string last;
    for (const auto& setting : settings_) {
      if (!setting.path.starts_with(prefix)) continue;
      const std::string rest = setting.path.substr(prefix.size());
      const std::string key = rest.substr(0, rest.find('.'));
      if (key == last) continue;
      list += (list.empty() ? "" : ", ") + key;
      last = key;
    }
    return list;
  }

  std::string where(const YAML::Mark& mark) const {
    if (mark.is_null()) return file_;
    return file_ + ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1);
  }

  void mistake(const YAML::Node& node, const std::string& path, const std::string& message) {
    mistakes_.add(where(node.Mark()) + ": " + (path.empty() ? "" : path + ": ") + message);
  }

  Settings& settings_;
  const std::string file_;
  Mistakes& mistakes_;
};

std::string print_settings(const Settings& settings) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  std::string open_section;
  for (const auto& setting : settings) {
    const auto dot = setting.path.find('.');
    const std::string section = dot == std::string::npos ? "" : setting.path.substr(0, dot);
    if (section != open_section) {
      if (!open_section.empty()) out << YAML::EndMap;
      if (!section.empty()) out << YAML::Key << section << YAML::Value << YAML::BeginMap;
      open_section = section;
    }
    out << YAML::Key << (dot == std::string::npos ? setting.path : setting.path.substr(dot + 1));
    out << YAML::Value << setting.get();
  }
  if (!open_section.empty()) out << YAML::EndMap;
  out << YAML::EndMap;
  return std::string(out.c_str()) + '\n';
}

// --- The command line.

struct Flags {
  std::string file;
  bool print_config = false;
  std::map<std::string, std::string> values;  // by path
};

// As CLI11 wants them, and with "--namespace=" as a flag and its empty text, which CLI11 takes for a missing
// value.
std::vector<std::string> last_first(int argc, const char* const* argv) {
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool empty_value = word.starts_with("--") && word.ends_with('=');
    out.push_back(empty_value ? word.substr(0, word.size() - 1) : word);
    if (empty_value) out.emplace_back();
  }
  std::reverse(out.begin(), out.end());
  return out;
}

// The text to print for --help and --version, if asked for.
Result<std::optional<std::string>> parse_flags(int argc, const char* const* argv, const Settings& settings,
                                               Flags& flags) {
  CLI::App app(
      "Drives Agents, Tasks, Workflows and WorkflowRuns (convoke.dev) to their desired state.\n"
      "Every flag after --print-config is also a key of the YAML file; a flag wins over the file.",
      "convoke-operator");
  app.set_version_flag("--version", version_text("convoke-operator"));
  app.add_option("--config", flags.file, "YAML file with the keys that are listed here")->type_name("FILE");
  app.add_flag("--print-config", flags.print_config, "Print the effective configuration as YAML and exit");
  for (const auto& setting : settings) {
    const auto take = [&flags, path = setting.path](const std::string& text) { flags.values[path] = text; };
    const std::string standard = setting.get().empty() ? "" : " [" + setting.get() + "]";
    app.add_option_function<std::string>(setting.flag(), take,
                                         setting.help + " (" + setting.path + ")" + standard)
        ->type_name(setting.type);
  }
  try {
    app.parse(last_first(argc, argv));
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::CallForVersion& version) {
    return std::string(version.what());
  } catch (const CLI::Error& error) {
    return Error{ErrorCode::Invalid, std::string(error.what()) + " (see --help)"};
  }
  return std::optional<std::string>();
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file.is_open() && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file.is_open() || file.bad()) {
    return Error{ErrorCode::Invalid, path + ": the configuration file cannot be read"};
  }
  return text.str();
}

// --- Keys that must fit each other.

void check_together(const Settings& settings, const OperatorConfig& config, Mistakes& mistakes) {
  const auto show = [&](const std::string& path) {
    const auto setting =
        std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.path == path; });
    return path + " (" + setting->get() + ", " + setting->source + ")";
  };
  const auto& election = config.leader_election;
  if (election.lease_duration % 1s != 0s) {
    mistakes.add(show("leaderElection.leaseDuration") +
                 " must be whole seconds, since a Lease holds no fractions");
  }
  if (election.renew_deadline >= election.lease_duration) {
    mistakes.add(show("leaderElection.renewDeadline") + " must be shorter than " +
                 show("leaderElection.leaseDuration"));
  }
  if (election.retry_period * 6 / 5 >= election.renew_deadline) {
    mistakes.add("1.2 times " + show("leaderElection.retryPeriod") + " must be shorter than " +
                 show("leaderElection.renewDeadline"));
  }
}

}  // namespace

Status apply_yaml(OperatorConfig& config, const std::string& text, const std::string& file) {
  auto settings = settings_of(config);
  Mistakes mistakes;
  YamlReader(settings, file, mistakes).read(text);
  return mistakes.status();
}

std::string print_yaml(const OperatorConfig& config) {
  OperatorConfig copy = config;
  return print_settings(settings_of(copy));
}

Result<Invocation> load_operator_config(int argc, const char* const* argv) {
  Invocation invocation;
  auto settings = settings_of(invocation.config);
  Flags flags;
  const auto shown = parse_flags(argc, argv, settings, flags);
  if (!shown) return shown.error();
  if (shown->has_value()) {
    invocation.print = **shown;
    return invocation;
  }

  Mistakes mistakes;
  if (!flags.file.empty()) {
    const auto text = read_file(flags.file);
    if (!text) return text.error();
    YamlReader(settings, flags.file, mistakes).read(*text);
  }
  for (auto& setting : settings) {
    const auto given = flags.values.find(setting.path);
    if (given == flags.values.end()) continue;
    const Status status = setting.set(given->second);
    if (!status) mistakes.add(setting.flag() + ": " + status.error().message);
    setting.source = setting.flag();
  }
  if (mistakes.status()) check_together(settings, invocation.config, mistakes);
  if (const Status status = mistakes.status(); !status) return status.error();
  if (flags.print_config) invocation.print = print_settings(settings);
  return invocation;
}

}  // namespace convoke::programs
