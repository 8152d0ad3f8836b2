#include "programs/operator/settings.h"

#include <algorithm>
#include <cstddef>

#include "controller/serve/address.h"
#include "programs/operator/namespaces.h"
#include "programs/operator/rules_setting.h"

namespace convoke::programs {

namespace {

using namespace std::chrono_literals;

constexpr int kMaxWorkers = 256;
constexpr Duration kLongestTtl = std::chrono::hours(24 * 365);

Status check_address(const std::string& text) {
  const auto address = serve::parse_listen_address(text);
  if (!address) return address.error();
  return {};
}

Status check_not_empty(const std::string& text) {
  if (text.empty()) return Error{ErrorCode::Invalid, "must not be empty"};
  return {};
}

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
  out.push_back(duration_setting("watch.idleTimeout",
                                 "A watch that was silent for this long is opened anew; the API server says "
                                 "something each minute; whole seconds",
                                 config.watch.idle_timeout, 2s, 5min));
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
                                 "The leader gives up when it could not renew for this long; shorter than "
                                 "leaseDuration",
                                 config.renew_deadline, 100ms, 10min));
  out.push_back(duration_setting("leaderElection.retryPeriod",
                                 "Time between two attempts to lead or to renew; 1.2 times this must be "
                                 "shorter than renewDeadline",
                                 config.retry_period, 50ms, 10min));
}

void add_serving(Settings& out, OperatorConfig& config) {
  out.push_back(text_setting("serve.address", "Where /healthz, /readyz and /metrics are served: [HOST]:PORT",
                             config.serve.address, check_address));
  out.push_back(hot(choice_setting<LogLevel>("log.level", "Least level that is logged", config.log.level,
                                             {{"Debug", LogLevel::Debug},
                                              {"Info", LogLevel::Info},
                                              {"Warn", LogLevel::Warn},
                                              {"Error", LogLevel::Error},
                                              {"Off", LogLevel::Off}})));
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
  out.push_back(
      int_setting("workers.dispatch",
                  "Requests to agents that Tasks are brought to, at the same time; one agent gets a "
                  "quarter at most",
                  config.workers.dispatch, 1, kMaxWorkers));
  out.push_back(duration_setting("backoff.base",
                                 "First pause before an object whose reconcile failed is tried again; it "
                                 "doubles each time",
                                 config.backoff.base, 1ms, 1min));
  out.push_back(duration_setting("backoff.max", "Longest such pause; at least backoff.base",
                                 config.backoff.max, 10ms, 1h));
  out.push_back(hot(number_setting("events.perSecond", "Kubernetes Events sent a second in the long run",
                                   config.events.per_second, 0.1, 10'000)));
  out.push_back(
      hot(int_setting("events.burst", "Kubernetes Events sent at once", config.events.burst, 1, 100'000)));
  out.push_back(hot(int_setting("events.burstPerObject",
                                "Events about one object before it is held back to one each five minutes",
                                config.events.burst_per_object, 1, 100'000)));
  out.push_back(duration_setting("drain", "How long running reconciles may take to end on shutdown",
                                 config.drain, 0s, 1h));
}

void add_task(Settings& out, TaskConfig& config) {
  out.push_back(
      hot(duration_setting("task.runningWriteDelay",
                           "A Task that ends sooner than this after it began is never written as Running",
                           config.running_write_delay, 0s, 1min)));
  out.push_back(hot(duration_setting("task.queuedWriteDelay",
                                     "A Task that gets an agent sooner than this is never written as Queued",
                                     config.queued_write_delay, 10ms, 1min)));
  out.push_back(hot(duration_setting("task.waitingRefresh",
                                     "How often the reasons of a waiting Task are looked at again",
                                     config.waiting_refresh, 1s, 24h)));
  out.push_back(
      hot(duration_setting("task.rebalanceAfter",
                           "A Task that its agent did not begin within this is given to another one "
                           "that has room; 0s: never",
                           config.rebalance_after, 0s, 24h)));
  out.push_back(hot(duration_setting(
      "task.ttlAfterSuccess", "A succeeded Task without ttlAfterFinished of its own is deleted after this",
      config.ttl_after_success, 0s, kLongestTtl)));
  out.push_back(hot(duration_setting("task.ttlAfterFailure",
                                     "A failed or cancelled Task without ttlAfterFinished of its own is "
                                     "deleted after this",
                                     config.ttl_after_failure, 0s, kLongestTtl)));
}

void add_assignment(Settings& out, AssignmentConfig& config) {
  out.push_back(hot(rules_setting(
      "assignment.rules",
      "What must hold for an agent to get a Task: {name, namespaces, expression, message} of each rule",
      config.rules)));
}

void add_fairness(Settings& out, FairnessConfig& config) {
  out.push_back(
      hot(weights_setting("fairness.namespaceWeights",
                          "How many turns a namespace gets for each turn of another, where the operator "
                          "has work for several; 1 for those that are not named",
                          config.namespace_weights)));
  out.push_back(
      hot(duration_setting("fairness.agingInterval",
                           "The priority of a waiting Task rises by one each time that it waited for "
                           "this long, up to 5; 0s: never",
                           config.aging_interval, 0s, kLongestTtl)));
}

void add_status(Settings& out, OperatorConfig& config) {
  out.push_back(
      hot(duration_setting("run.statusInterval", "Changes of a run's steps within this time become one write",
                           config.run.status_interval, 0s, 1min)));
  out.push_back(hot(duration_setting("workflow.statusInterval",
                                     "Changes of a Workflow's counts of runs within this time become one "
                                     "write",
                                     config.workflow.status_interval, 0s, 10min)));
  out.push_back(hot(duration_setting("agent.statusInterval",
                                     "Changes of an Agent's numbers within this time become one write",
                                     config.agent.status_interval, 0s, 10min)));
  out.push_back(
      bool_setting("dispatch.allowLoopback",
                   "Send Tasks to agents of the mode HTTP at loopback addresses too: other processes "
                   "of the operator's Pod or machine",
                   config.dispatch.allow_loopback));
  out.push_back(bool_setting("dispatch.jobs",
                             "Make Jobs for agents of the mode Job; needs rights on Jobs and Pods, which the "
                             "Helm chart gives with it",
                             config.dispatch.jobs));
}

Status check_optional_address(const std::string& text) {
  return text.empty() ? Status() : check_address(text);
}

void add_cloud_events(Settings& out, CloudEventsConfig& config) {
  out.push_back(text_setting("cloudEvents.address",
                             "Where CloudEvents are received for triggers of the type Event: [HOST]:PORT. "
                             "Empty: nowhere",
                             config.address, check_optional_address));
  out.push_back(text_setting("cloudEvents.tlsCertFile",
                             "PEM file of the certificate and its chain. Empty: plain HTTP",
                             config.tls_certificate));
  out.push_back(
      text_setting("cloudEvents.tlsKeyFile", "PEM file of the certificate's private key", config.tls_key));
  out.push_back(text_setting("cloudEvents.tokenFile",
                             "File of the bearer tokens, one a line, that senders must have one of; it is "
                             "followed when it changes",
                             config.token_file));
  out.push_back(bool_setting("cloudEvents.allowAnonymous",
                             "Let everybody who reaches the address send events, without a token",
                             config.allow_anonymous));
  out.push_back(int_setting("cloudEvents.maxBytes",
                            "Largest request; a single event has 64 KiB of JSON at most all the same",
                            config.max_bytes, 1024, 16 * 1024 * 1024));
}

Settings list_settings(OperatorConfig& config) {
  Settings out;
  add_connection(out, config);
  add_leader_election(out, config.leader_election);
  add_serving(out, config);
  add_work(out, config);
  add_task(out, config.task);
  add_assignment(out, config.assignment);
  add_fairness(out, config.fairness);
  add_status(out, config);
  add_cloud_events(out, config.cloud_events);
  return out;
}

// A setting as a message names it: its value, and who set it.
std::string show(const Settings& settings, const std::string& path) {
  const auto setting =
      std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.path == path; });
  return path + " (" + setting->get() + ", " + setting->source + ")";
}

}  // namespace

Settings settings_of(OperatorConfig& config) {
  OperatorConfig standard;
  const Settings defaults = list_settings(standard);
  Settings out = list_settings(config);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].standard = defaults[i].get();
  return out;
}

std::vector<std::string> conflicts(const Settings& settings, const OperatorConfig& config) {
  std::vector<std::string> out;
  const auto& election = config.leader_election;
  const std::string lease_duration = show(settings, "leaderElection.leaseDuration");
  const std::string renew_deadline = show(settings, "leaderElection.renewDeadline");
  if (election.lease_duration % 1s != 0s)
    out.push_back(lease_duration + " must be whole seconds, since a Lease holds no fractions");
  if (election.renew_deadline >= election.lease_duration)
    out.push_back(renew_deadline + " must be shorter than " + lease_duration);
  if (election.retry_period * 6 / 5 >= election.renew_deadline) {
    out.push_back("1.2 times " + show(settings, "leaderElection.retryPeriod") + " must be shorter than " +
                  renew_deadline);
  }
  if (config.watch.idle_timeout % 1s != 0s)
    out.push_back(show(settings, "watch.idleTimeout") + " must be whole seconds");
  if (config.backoff.max < config.backoff.base) {
    out.push_back(show(settings, "backoff.max") + " must not be shorter than " +
                  show(settings, "backoff.base"));
  }
  const auto& events = config.cloud_events;
  if (events.tls_certificate.empty() != events.tls_key.empty()) {
    out.push_back(show(settings, "cloudEvents.tlsCertFile") + " and " +
                  show(settings, "cloudEvents.tlsKeyFile") + " go together");
  }
  if (!events.address.empty() && events.token_file.empty() != events.allow_anonymous) {
    out.push_back(show(settings, "cloudEvents.address") + " needs exactly one of " +
                  show(settings, "cloudEvents.tokenFile") + " and " +
                  show(settings, "cloudEvents.allowAnonymous"));
  }
  return out;
}

std::string SettingChange::str() const {
  return path + " from \"" + before + "\" to \"" + after + '"';
}

std::vector<SettingChange> changes(const OperatorConfig& before, const OperatorConfig& after, Reload kind) {
  OperatorConfig old_values = before;
  OperatorConfig new_values = after;
  const Settings from = settings_of(old_values);
  const Settings to = settings_of(new_values);
  std::vector<SettingChange> out;
  for (std::size_t i = 0; i < from.size(); ++i) {
    SettingChange change{from[i].path, from[i].get(), to[i].get()};
    if (from[i].reload == kind && change.before != change.after) out.push_back(std::move(change));
  }
  return out;
}

}  // namespace convoke::programs
