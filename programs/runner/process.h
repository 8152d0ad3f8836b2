// Runs a command as a process group of its own and watches it until it ended.
//
// Thread safety: launch() and a Process' methods from every
// thread. `on_end` is called once, on the thread that supervises the command. Ownership: the Process joins
// its supervisor when it is destroyed, so never destroy it in its own `on_end`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/result.h"
#include "programs/runner/guardian.h"

namespace convoke::runner {

struct Command {
  std::vector<std::string> arguments;    // the first is looked up in our PATH
  std::vector<std::string> environment;  // "NAME=value", complete
  std::string working_directory;         // empty: ours
  std::string input;                     // given on standard input
};

struct CommandEnd {
  int exit_code = 0;             // if it exited
  int signal = 0;                // if a signal ended it; 0 otherwise
  std::string error_tail = {};   // the end of standard error, at most 64 KiB
  std::string output_tail = {};  // the end of standard output, likewise
};

class Process {
 public:
  virtual ~Process() = default;
  virtual pid_t pid() const = 0;
  // To the whole group; nothing if it has ended.
  virtual void signal_group(int signal) = 0;
};

// The seam: tests give a launcher that runs nothing.
class ProcessLauncher {
 public:
  virtual ~ProcessLauncher() = default;
  // Error Invalid: the command cannot be started (not found, no such directory); the message says which.
  virtual Result<std::unique_ptr<Process>> launch(const Command& command,
                                                  std::function<void(const CommandEnd&)> on_end) = 0;
};

// Real processes, whose output lines go to the log at level Debug. When a command's first process ends, what
// is left of its group is killed, and when this program is killed, so are the groups: nothing outlives its
// Task.
std::unique_ptr<ProcessLauncher> make_process_launcher(Clock& clock, const Logger& log,
                                                       const Guardian& guardian);

}  // namespace convoke::runner
