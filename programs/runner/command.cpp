#include "programs/runner/command.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <sys/stat.h>
#include <unistd.h>

namespace convoke::runner {

namespace {

constexpr char kShell[] = "shell";
constexpr std::size_t kMaxVariableBytes = std::size_t{100} * 1024;  // the kernel takes 128 KiB for one string
constexpr std::size_t kProgressTailBytes = 4096;

bool is_shell(const RunnerConfig& config, const std::string& type) {
  return config.shell && type == kShell && !config.tasks.contains(type);
}

Json parameters_of(const api::Task& task) {
  if (task.spec.parameters.empty()) return Json::object();
  auto parsed = parse_json(task.spec.parameters);
  return parsed && parsed->is_object() ? std::move(*parsed) : Json::object();
}

std::string text_parameter(const Json& parameters, const char* name) {
  const auto found = parameters.find(name);
  return found != parameters.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string variable_name(std::string name, const std::string& suffix) {
  for (const char c : suffix) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += lower ? static_cast<char>(c - 'a' + 'A') : plain ? c : '_';
  }
  return name;
}

// By name, so that what is set later takes the place of what was inherited.
using Environment = std::map<std::string, std::string>;

Environment parse_environment(const std::vector<std::string>& entries) {
  Environment environment;
  for (const auto& entry : entries) {
    const auto at = entry.find('=');
    if (at != std::string::npos) environment[entry.substr(0, at)] = entry.substr(at + 1);
  }
  return environment;
}

std::vector<std::string> entries_of(const Environment& environment) {
  std::vector<std::string> entries;
  entries.reserve(environment.size());
  for (const auto& [name, value] : environment) entries.push_back(name + "=" + value);
  return entries;
}

void add_parameters(Environment& environment, const Json& parameters) {
  for (const auto& [name, value] : parameters.items()) {
    auto text = value.is_string() ? value.get<std::string>() : dump_json(value);
    if (text.size() > kMaxVariableBytes || text.find('\0') != std::string::npos) continue;
    environment[variable_name("CONVOKE_PARAM_", name)] = std::move(text);
  }
}

void add_task(Environment& environment, const api::Task& task) {
  environment["CONVOKE_TASK_NAME"] = task.meta.name;
  environment["CONVOKE_TASK_NAMESPACE"] = task.meta.namespace_;
  environment["CONVOKE_TASK_UID"] = task.meta.uid;
  environment["CONVOKE_TASK_TYPE"] = task.spec.type;
  environment["CONVOKE_TASK_ATTEMPT"] = std::to_string(task.status.attempt);
  environment["CONVOKE_ASSIGNMENT_ID"] = task.status.assignment.id;
  for (const auto& [lock, token] : task.status.assignment.fencing) {
    environment[variable_name("CONVOKE_FENCING_", lock)] = std::to_string(token);
  }
}

}  // namespace

std::string unsupported(const RunnerConfig& config, const api::Task& task) {
  const auto& type = task.spec.type;
  if (is_shell(config, type)) {
    return text_parameter(parameters_of(task), "command").empty()
               ? "spec.parameters.command: must be the text of a shell command for a Task of type shell"
               : "";
  }
  return config.tasks.contains(type) ? "" : "this agent has no command for Tasks of type \"" + type + "\"";
}

Result<AttemptFolder> AttemptFolder::make(const std::string& parent) {
  auto path = parent + "/attempt-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    return Error{ErrorCode::Unavailable, "making a folder below " + parent + ": " + std::strerror(errno)};
  AttemptFolder folder(std::move(path));
  if (::mkdir(folder.scratch().c_str(), 0700) != 0)
    return Error{ErrorCode::Unavailable, "making " + folder.scratch() + ": " + std::strerror(errno)};
  return folder;
}

AttemptFolder::AttemptFolder(AttemptFolder&& other) noexcept : path_(std::move(other.path_)) {
  other.path_.clear();
}

AttemptFolder::~AttemptFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

std::string AttemptFolder::progress_tail() const {
  std::error_code missing;
  if (!std::filesystem::is_regular_file(progress_file(), missing)) return {};  // a pipe could block us
  std::ifstream in(progress_file(), std::ios::binary | std::ios::ate);
  if (!in) return {};
  const auto size = static_cast<std::size_t>(in.tellg());
  const auto from = size > kProgressTailBytes ? size - kProgressTailBytes : 0;
  std::string text(size - from, '\0');
  in.seekg(static_cast<std::streamoff>(from));
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  // A line that is still being written is not said yet.
  const auto line_end = text.rfind('\n');
  return line_end == std::string::npos ? std::string{} : text.substr(0, line_end);
}

void AttemptFolder::read_output(CommandResult& result) const {
  std::error_code missing;
  if (!std::filesystem::is_regular_file(output_file(), missing)) return;
  const auto size = std::filesystem::file_size(output_file(), missing);
  if (missing) return;
  result.output_too_large = size > kMaxOutputBytes;
  if (result.output_too_large) return;
  std::ifstream in(output_file(), std::ios::binary);
  result.output_file.resize(kMaxOutputBytes + 1);
  in.read(result.output_file.data(), static_cast<std::streamsize>(result.output_file.size()));
  result.output_file.resize(static_cast<std::size_t>(in.gcount()));
}

Command command_for(const RunnerConfig& config, const api::Task& task, const AttemptFolder& folder,
                    const std::vector<std::string>& inherited) {
  const auto parameters = parameters_of(task);
  auto environment = parse_environment(inherited);
  Command command;
  command.input = dump_json(parameters);
  command.working_directory = folder.scratch();
  std::string directory;
  if (is_shell(config, task.spec.type)) {
    command.arguments = {"/bin/sh", "-c", text_parameter(parameters, "command")};
    directory = text_parameter(parameters, "workingDirectory");
  } else {
    const auto& configured = config.tasks.at(task.spec.type);
    command.arguments = configured.arguments;
    directory = configured.working_directory;
    for (const auto& [name, value] : configured.environment) environment[name] = value;
  }
  if (!directory.empty()) command.working_directory = directory;
  add_parameters(environment, parameters);
  add_task(environment, task);
  environment["CONVOKE_OUTPUT"] = folder.output_file();
  environment["CONVOKE_PROGRESS"] = folder.progress_file();
  command.environment = entries_of(environment);
  return command;
}

bool exit_code_is_final(const RunnerConfig& config, const std::string& type, int exit_code) {
  const auto found = config.tasks.find(type);
  return found != config.tasks.end() && found->second.final_exit_codes.contains(exit_code);
}

}  // namespace convoke::runner
