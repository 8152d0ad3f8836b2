// The operator's configuration: defaults, over them a YAML file (--config), over that the flags.
//
// Errors: Invalid. The message has one line for each mistake, with file, line and key, or the flag:
//   /etc/convoke/config.yaml:7:3: workers.tasks: there is no such key; known here: task, workflowRun,
//   workflow, agent
#pragma once

#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/result.h"

namespace convoke::programs {

struct LeaderElectionConfig {
  bool enabled = true;
  std::string namespace_;  // empty: the Pod's own, else "default"
  std::string name = "convoke-operator";
  Duration lease_duration = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry_period = std::chrono::seconds(2);
};

struct ServeConfig {
  std::string address = ":8080";
};

struct LogConfig {
  LogLevel level = LogLevel::Info;
  LogFormat format = LogFormat::Json;
};

struct AuditConfig {
  std::string path;  // a file, or "-" for standard output; empty: no audit log
};

struct WorkersConfig {
  int task = 16;
  int workflow_run = 8;
  int workflow = 2;
  int agent = 4;
};

struct EventsConfig {
  double per_second = 20;
  int burst = 100;
};

struct TaskConfig {
  Duration running_write_delay = std::chrono::milliseconds(300);
};

struct RunConfig {
  Duration status_interval = std::chrono::seconds(1);
};

struct OperatorConfig {
  std::string kubeconfig;  // empty: as kube::load_config finds it
  std::string context;
  bool allow_insecure = false;
  std::string namespace_;  // those that are watched (namespaces.h); empty: all
  LeaderElectionConfig leader_election;
  ServeConfig serve;
  LogConfig log;
  AuditConfig audit;
  WorkersConfig workers;
  EventsConfig events;
  Duration drain = std::chrono::seconds(30);
  TaskConfig task;
  RunConfig run;
};

// What the command line asks for.
struct Invocation {
  OperatorConfig config;
  std::string print;  // not empty (--help, --version, --print-config): print it and exit with 0
};

// Reads the file that --config names.
Result<Invocation> load_operator_config(int argc, const char* const* argv);

// The YAML text over what `config` holds. `file` is its name in messages. Keys are not checked against each
// other.
Status apply_yaml(OperatorConfig& config, const std::string& text, const std::string& file);
// What apply_yaml would read as the same configuration.
std::string print_yaml(const OperatorConfig& config);

}  // namespace convoke::programs
