// The command line of kubectl-convoke as values.
//
// Errors: Invalid, as CLI11 says it, with a pointer to --help.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/base/result.h"

namespace convoke::plugin {

enum class Command {
  Tree,
  Watch,
  Graph,
  Why,
  Approve,
  Reject,
  Cancel,
  Suspend,
  Resume,
  Retry,
  Rerun,
  Run,
  Lint,
  Plan
};

struct Invocation {
  Command command = Command::Tree;

  // Where.
  std::string kubeconfig;
  std::string context;
  std::string namespace_;  // empty: that of the context
  bool all_namespaces = false;
  bool allow_insecure = false;

  // How it is shown.
  std::string output;  // "", "json", "mermaid", "dot"
  bool no_color = false;

  // What; each command uses some of them.
  std::string target;
  std::string step;
  std::vector<std::string> files;
  std::vector<std::string> parameters;
  std::string parameters_file;
  std::string workflow;  // of several in a manifest
  std::string name;
  std::string revision;
  bool same_revision = false;
  std::string text;  // --comment, --reason
  std::vector<std::string> steps;
  std::optional<bool> compensate;
  bool force = false;
  bool all = false;
  bool wait = false;
  bool dry_run = false;
  bool strict = false;
  bool offline = false;

  std::string print;  // not empty (--help, --version): print it and exit with 0

  bool json() const { return output == "json"; }
};

Result<Invocation> read_command_line(int argc, const char* const* argv);

}  // namespace convoke::plugin
