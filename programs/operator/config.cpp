// Every exception of CLI11 ends in this file.
#include "programs/operator/config.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "controller/base/similar_word.h"
#include "programs/build_info/build_info.h"
#include "programs/operator/config_yaml.h"
#include "programs/operator/settings.h"

namespace convoke::programs {

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20U;

// A person sees all mistakes at once, one a line.
Status all_of(const std::vector<std::string>& mistakes) {
  std::string text;
  for (const auto& line : mistakes) text += (text.empty() ? "" : "\n") + line;
  if (text.empty()) return {};
  return Error{ErrorCode::Invalid, text};
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

// For a flag that does not exist: the one that was probably meant.
std::string meant_flag(int argc, const char* const* argv, const CLI::App& app) {
  std::vector<std::string> known;
  for (const auto* option : app.get_options()) known.push_back(option->get_name());
  for (int i = 1; i < argc; ++i) {
    const std::string word(argv[i]);
    const std::string flag = word.substr(0, word.find('='));
    if (!flag.starts_with("--") || std::find(known.begin(), known.end(), flag) != known.end()) continue;
    const std::string meant = most_similar(flag, known);
    if (!meant.empty()) return "; did you mean " + meant + "?";
  }
  return {};
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
    const std::string standard = setting.standard.empty() ? "" : " [" + setting.standard + "]";
    app.add_option_function<std::string>(
           setting.flag(), take, setting.help + " (" + setting.path + ": " + setting.range + ")" + standard)
        ->type_name(setting.type);
  }
  try {
    app.parse(last_first(argc, argv));
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::CallForVersion& version) {
    return std::string(version.what());
  } catch (const CLI::ExtrasError& error) {
    return Error{ErrorCode::Invalid,
                 std::string(error.what()) + meant_flag(argc, argv, app) + " (see --help)"};
  } catch (const CLI::Error& error) {
    return Error{ErrorCode::Invalid, std::string(error.what()) + " (see --help)"};
  }
  return std::optional<std::string>();
}

}  // namespace

ConfigSource::ConfigSource(std::string file, std::map<std::string, std::string> flags)
    : file_(std::move(file)), flags_(std::move(flags)) {}

Result<std::string> ConfigSource::read() const {
  if (file_.empty()) return std::string();
  std::ifstream file(file_, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  if (file.is_open()) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad())
    return Error{ErrorCode::Invalid, file_ + ": the configuration file cannot be read"};
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes) {
    return Error{ErrorCode::Invalid, file_ + ": the configuration file is larger than " +
                                         std::to_string(kMaxFileBytes) + " bytes"};
  }
  return text;
}

Result<OperatorConfig> ConfigSource::parse(const std::string& text) const {
  OperatorConfig config;
  auto settings = settings_of(config);
  auto mistakes = read_yaml(settings, text, file_);
  for (auto& setting : settings) {
    const auto given = flags_.find(setting.path);
    if (given == flags_.end()) continue;
    const Status status = setting.set(given->second);
    if (!status) mistakes.push_back(setting.flag() + ": " + status.error().message);
    setting.source = setting.flag();
  }
  if (mistakes.empty()) mistakes = conflicts(settings, config);
  if (const Status status = all_of(mistakes); !status) return status.error();
  return config;
}

Status apply_yaml(OperatorConfig& config, const std::string& text, const std::string& file) {
  auto settings = settings_of(config);
  return all_of(read_yaml(settings, text, file));
}

std::string print_yaml(const OperatorConfig& config) {
  OperatorConfig copy = config;
  return print_settings(settings_of(copy));
}

Result<Invocation> load_operator_config(int argc, const char* const* argv) {
  Invocation invocation;
  Flags flags;
  const auto shown = parse_flags(argc, argv, settings_of(invocation.config), flags);
  if (!shown) return shown.error();
  if (shown->has_value()) {
    invocation.print = **shown;
    return invocation;
  }
  invocation.source = ConfigSource(flags.file, flags.values);
  auto text = invocation.source.read();
  if (!text) return text.error();
  auto config = invocation.source.parse(*text);
  if (!config) return config.error();
  invocation.text = std::move(*text);
  invocation.config = std::move(*config);
  if (flags.print_config) invocation.print = print_yaml(invocation.config);
  return invocation;
}

}  // namespace convoke::programs
