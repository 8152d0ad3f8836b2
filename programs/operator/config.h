// The operator's configuration: defaults, over them a YAML file (--config), over that the flags. All keys,
// with what they mean, are in settings.cpp; `convoke-operator --print-config` prints them.
//
// Errors: Invalid. The message has one line for each mistake, with file, line, column and key, or the flag:
//   /etc/convoke/config.yaml:7:3: workers.tasks: there is no such key; did you mean workers.task? known here:
//   task, workflowRun, workflow, agent, dispatch
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/result.h"
#include "reconcilers/task/assignment_rule.h"

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
  int dispatch = 64;
};

struct WatchConfig {
  Duration idle_timeout = std::chrono::seconds(90);
};

struct BackoffConfig {
  Duration base = std::chrono::milliseconds(5);
  Duration max = std::chrono::seconds(1000);
};

struct EventsConfig {
  double per_second = 20;
  int burst = 100;
  int burst_per_object = 25;
};

struct TaskConfig {
  Duration running_write_delay = std::chrono::milliseconds(300);
  Duration queued_write_delay = std::chrono::seconds(1);
  Duration waiting_refresh = std::chrono::minutes(5);
  Duration rebalance_after = std::chrono::seconds(30);
  Duration ttl_after_success = std::chrono::hours(24);
  Duration ttl_after_failure = std::chrono::hours(7 * 24);
};

struct AssignmentConfig {
  std::vector<task::AssignmentRule> rules;
};

struct FairnessConfig {
  std::map<std::string, double> namespace_weights;
  Duration aging_interval = std::chrono::minutes(30);
};

struct RunConfig {
  Duration status_interval = std::chrono::seconds(1);
};

struct WorkflowConfig {
  Duration status_interval = std::chrono::seconds(10);
};

struct AgentConfig {
  Duration status_interval = std::chrono::seconds(10);
};

struct DispatchConfig {
  bool allow_loopback = false;
  bool jobs = false;
};

struct CloudEventsConfig {
  std::string address;  // empty: none are received
  std::string tls_certificate;
  std::string tls_key;
  std::string token_file;
  bool allow_anonymous = false;
  int max_bytes = 1024 * 1024;
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
  WatchConfig watch;
  WorkersConfig workers;
  BackoffConfig backoff;
  EventsConfig events;
  Duration drain = std::chrono::seconds(30);
  TaskConfig task;
  AssignmentConfig assignment;
  FairnessConfig fairness;
  RunConfig run;
  WorkflowConfig workflow;
  AgentConfig agent;
  DispatchConfig dispatch;
  CloudEventsConfig cloud_events;
};

// Where a process takes its configuration from: what its command line said.
class ConfigSource {
 public:
  ConfigSource() = default;
  // `flags`: the values that were given, by the path of their key. They were checked to be flags.
  ConfigSource(std::string file, std::map<std::string, std::string> flags);

  const std::string& file() const { return file_; }  // empty: none
  // The text of the file; of no file, empty.
  Result<std::string> read() const;
  // What results from that text.
  Result<OperatorConfig> parse(const std::string& text) const;

 private:
  std::string file_;
  std::map<std::string, std::string> flags_;
};

// What the command line asks for.
struct Invocation {
  OperatorConfig config;
  ConfigSource source;
  std::string text;   // that config was read from
  std::string print;  // not empty (--help, --version, --print-config): print it and exit with 0
};

// Reads the file that --config names.
Result<Invocation> load_operator_config(int argc, const char* const* argv);

// The YAML text over what `config` holds. `file` is its name in messages. Keys are not checked against each
// other.
Status apply_yaml(OperatorConfig& config, const std::string& text, const std::string& file);
// What apply_yaml would read as the same configuration, with a comment for each key.
std::string print_yaml(const OperatorConfig& config);

}  // namespace convoke::programs
