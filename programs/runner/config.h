// What a runner is and what it can do: a YAML file and a few flags over it.
//
//   agent: {name: builder-1, capabilities: [compile], capacity: 4}
//   tasks:
//     compile: {command: [./compile.sh], workingDirectory: /srv/build}
//   shell: true
//
// Errors: Invalid, with file, line and key; a key that is not known is an error.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/result.h"

namespace convoke::runner {

struct TaskCommand {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment;
  std::string working_directory;
  std::set<int> final_exit_codes;  // exit statuses that no retry would change
};

struct RunnerConfig {
  std::string kubeconfig;
  std::string context;

  std::string name;
  std::string namespace_ = "default";
  std::string type;
  std::vector<std::string> capabilities;  // default: the types that have a command
  std::map<std::string, std::string> labels;
  int capacity = 10;
  Duration heartbeat_interval = std::chrono::seconds(10);
  Duration heartbeat_timeout = std::chrono::seconds(30);

  std::map<std::string, TaskCommand> tasks;  // by type
  bool shell = false;                        // also the type `shell`: parameters.command, run by /bin/sh

  std::string work_directory;  // of the attempts' private folders; empty: one of its own below $TMPDIR
  Duration kill_after = std::chrono::seconds(10);  // from SIGTERM to SIGKILL
  Duration drain = std::chrono::seconds(30);       // for running commands at shutdown
  Duration progress_interval = std::chrono::seconds(1);
  std::string journal;  // file; empty: none
  LogLevel log_level = LogLevel::Info;
  LogFormat log_format = LogFormat::Json;
};

// `file` is named in messages.
Result<RunnerConfig> parse_runner_config(const std::string& text, const std::string& file);

struct RunnerInvocation {
  RunnerConfig config;
  std::string print;  // not empty (--help, --version): print it and exit with 0
};
Result<RunnerInvocation> load_runner_config(int argc, const char* const* argv);

}  // namespace convoke::runner
