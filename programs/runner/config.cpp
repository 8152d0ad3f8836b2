#include "programs/runner/config.h"

#include <fstream>
#include <iterator>

#include <CLI/CLI.hpp>

#include "controller/base/yaml.h"
#include "programs/build_info/build_info.h"
#include "programs/runner/yaml_section.h"

namespace convoke::runner {

namespace {

using namespace std::chrono_literals;

constexpr int kMaxCapacity = 1000;

void read_agent(const YAML::Node& node, RunnerConfig& config, YamlProblems& problems) {
  YamlSection agent(node, "agent", problems);
  agent.read("name", config.name);
  agent.read("namespace", config.namespace_);
  agent.read("type", config.type);
  agent.read("capabilities", config.capabilities);
  agent.read("capacity", config.capacity, 1, kMaxCapacity);
  agent.read("labels", config.labels);
  YamlSection heartbeat(agent.section("heartbeat"), "agent.heartbeat", problems);
  heartbeat.read("interval", config.heartbeat_interval, 100ms, 1h);
  heartbeat.read("timeout", config.heartbeat_timeout, 1s, 24h);
}

void read_task(YamlSection& tasks, const std::string& type, RunnerConfig& config, YamlProblems& problems) {
  const auto node = tasks.section(type);
  const auto path = tasks.path_of(type);
  TaskCommand command;
  {
    YamlSection task(node, path, problems);
    task.read("command", command.arguments);
    task.read("env", command.environment);
    task.read("workingDirectory", command.working_directory);
    task.read("finalExitCodes", command.final_exit_codes);
  }
  if (command.arguments.empty()) problems.add(node, path + ".command", "must name the program to run");
  config.tasks[type] = std::move(command);
}

void read_file(const YAML::Node& root, RunnerConfig& config, YamlProblems& problems) {
  YamlSection file(root, "", problems);
  read_agent(file.section("agent"), config, problems);
  {
    YamlSection tasks(file.section("tasks"), "tasks", problems);
    for (const auto& type : tasks.keys()) read_task(tasks, type, config, problems);
  }
  file.read("shell", config.shell);
  file.read("workDirectory", config.work_directory);
  file.read("killAfter", config.kill_after, 0s, 1h);
  file.read("drain", config.drain, 0s, 24h);
  file.read("progressInterval", config.progress_interval, 50ms, 1h);
  file.read("journal", config.journal);
}

void complete(RunnerConfig& config) {
  if (!config.capabilities.empty()) return;
  for (const auto& [type, command] : config.tasks) config.capabilities.push_back(type);
  if (config.shell) config.capabilities.emplace_back("shell");
}

Status check(const RunnerConfig& config, const std::string& file) {
  const auto refuse = [&](const std::string& message) {
    return Error{ErrorCode::Invalid, file + ": " + message};
  };
  if (config.name.empty()) return refuse("agent.name: is missing: give it there or with --name");
  if (config.capabilities.empty())
    return refuse("tasks: this agent could do nothing: give it a task type with a command, or `shell: true`");
  if (config.heartbeat_timeout <= config.heartbeat_interval)
    return refuse("agent.heartbeat.timeout: must be longer than agent.heartbeat.interval");
  return {};
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{ErrorCode::Invalid, path + ": cannot be read"};
  return std::string(std::istreambuf_iterator<char>(in), {});
}

const std::map<std::string, LogLevel> kLogLevels = {{"Debug", LogLevel::Debug},
                                                    {"Info", LogLevel::Info},
                                                    {"Warn", LogLevel::Warn},
                                                    {"Error", LogLevel::Error},
                                                    {"Off", LogLevel::Off}};
const std::map<std::string, LogFormat> kLogFormats = {{"Json", LogFormat::Json}, {"Text", LogFormat::Text}};

struct Flags {
  std::string file;
  std::string kubeconfig;
  std::string context;
  std::string name;
  std::string namespace_;
  std::string journal;
  std::string log_level = "Info";
  std::string log_format = "Json";
  bool version = false;
};

void add_flags(CLI::App& app, Flags& flags) {
  constexpr std::size_t kFlagColumn = 36;
  app.get_formatter()->column_width(kFlagColumn);
  app.add_option("--config", flags.file, "YAML file that says who this agent is and what it runs");
  app.add_option("--kubeconfig", flags.kubeconfig,
                 "Kubeconfig file. Empty: $KUBECONFIG, then in-cluster credentials, then ~/.kube/config");
  app.add_option("--context", flags.context, "Context of the kubeconfig. Empty: its current one");
  app.add_option("--name", flags.name, "Name of the Agent, over agent.name");
  app.add_option("--namespace", flags.namespace_, "Namespace of the Agent, over agent.namespace");
  app.add_option("--journal", flags.journal,
                 "File that gets one JSON line for each start and end of a command");
  app.add_option("--log-level", flags.log_level, "Least level that is logged")
      ->check(CLI::IsMember(kLogLevels))
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "JSON objects, or text for a terminal")
      ->check(CLI::IsMember(kLogFormats))
      ->capture_default_str();
  app.add_flag("--version", flags.version, "Print the version and exit");
}

void apply(const Flags& flags, RunnerConfig& config) {
  config.kubeconfig = flags.kubeconfig;
  config.context = flags.context;
  if (!flags.name.empty()) config.name = flags.name;
  if (!flags.namespace_.empty()) config.namespace_ = flags.namespace_;
  if (!flags.journal.empty()) config.journal = flags.journal;
  config.log_level = kLogLevels.at(flags.log_level);
  config.log_format = kLogFormats.at(flags.log_format);
}

}  // namespace

Result<RunnerConfig> parse_runner_config(const std::string& text, const std::string& file) {
  YamlProblems problems(file);
  RunnerConfig config;
  try {
    const auto documents = load_yaml_documents(text);
    if (documents.size() > 1) return Error{ErrorCode::Invalid, file + ": more than one YAML document"};
    read_file(documents.empty() ? YAML::Node() : documents.front(), config, problems);
  } catch (const YAML::Exception& e) {
    return Error{ErrorCode::Invalid, file + ":" + std::to_string(e.mark.line + 1) + ":" +
                                         std::to_string(e.mark.column + 1) + ": this is not YAML: " + e.msg};
  }
  if (auto status = problems.status(); !status) return status.error();
  complete(config);
  return config;
}

Result<RunnerInvocation> load_runner_config(int argc, const char* const* argv) {
  CLI::App app(
      "Runs commands as an agent of Convoke: watches the Tasks that are assigned to it and reports to them.");
  Flags flags;
  add_flags(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return RunnerInvocation{{}, app.help()};
  } catch (const CLI::ParseError& e) {
    return Error{ErrorCode::Invalid, std::string(e.what()) + " (see --help)"};
  }
  if (flags.version) return RunnerInvocation{{}, programs::version_text("convoke-runner")};
  if (flags.file.empty())
    return Error{ErrorCode::Invalid, "--config is missing: the file says what this agent runs"};

  const auto text = read_text(flags.file);
  if (!text) return text.error();
  auto config = parse_runner_config(*text, flags.file);
  if (!config) return config.error();
  apply(flags, *config);
  if (auto status = check(*config, flags.file); !status) return status.error();
  return RunnerInvocation{std::move(*config), ""};
}

}  // namespace convoke::runner
