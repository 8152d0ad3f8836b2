#include "programs/operator/operator.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include <malloc.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "controller/kube/client.h"
#include "controller/kube/client_metrics.h"
#include "controller/runtime/controller.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/leader_election.h"
#include "controller/runtime/manager.h"
#include "controller/runtime/reflector.h"
#include "controller/runtime/reflector_metrics.h"
#include "controller/serve/bearer_tokens.h"
#include "controller/serve/health.h"
#include "controller/serve/http_server.h"
#include "controller/serve/process_metrics.h"
#include "controller/serve/routes.h"
#include "programs/build_info/build_info.h"
#include "programs/operator/audit_file.h"
#include "programs/operator/config_reloader.h"
#include "programs/operator/namespaces.h"
#include "reconcilers/agent/agent_reconciler.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/dispatch/dispatch.h"
#include "reconcilers/task/lock_keeper.h"
#include "reconcilers/task/lock_metrics.h"
#include "reconcilers/task/lock_reconciler.h"
#include "reconcilers/task/scheduler.h"
#include "reconcilers/task/take_over.h"
#include "reconcilers/task/task_metrics.h"
#include "reconcilers/task/task_reconciler.h"
#include "reconcilers/task/waiting_metrics.h"
#include "reconcilers/workflow/event_receiver.h"
#include "reconcilers/workflow/run_reconciler.h"
#include "reconcilers/workflow/run_waiting_metrics.h"
#include "reconcilers/workflow/workflow_reconciler.h"

namespace convoke::programs {

namespace {

constexpr char kFieldManager[] = "convoke-operator";
constexpr char kNamespaceFile[] = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

// The namespace of the Pod that this is; empty if it is none.
std::string own_namespace() {
  std::ifstream in(kNamespaceFile);
  std::string name(std::istreambuf_iterator<char>(in), {});
  while (!name.empty() && (name.back() == '\n' || name.back() == ' ')) name.pop_back();
  return name;
}

// Where the leader Lease lies if the configuration does not say: the Pod's own namespace.
std::string lease_namespace(const LeaderElectionConfig& config) {
  if (!config.namespace_.empty()) return config.namespace_;
  const std::string own = own_namespace();
  return own.empty() ? "default" : own;
}

// What Events about the operator itself are about: its leader Lease, which is there wherever it runs.
kube::ObjectReference self_reference(const LeaderElectionConfig& config) {
  return {kube::kLease, lease_namespace(config), config.name, "", ""};
}

// Every write of objects passes one of these: refused unless this process leads (without a leader to ask,
// never), and counted.
class WriteGate final : public kube::WriteGuard {
 public:
  explicit WriteGate(prometheus::Registry& registry)
      : writes_(prometheus::BuildCounter()
                    .Name("convoke_object_writes_total")
                    .Help("Writes sent for Agents, Tasks, Workflows, WorkflowRuns, locks and what they own; "
                          "the leader Lease and Events are not among them")
                    .Register(registry)
                    .Add({})) {}

  void set_leader(runtime::LeaderElector* leader) { leader_ = leader; }

  Status may_write() override {
    if (leader_ != nullptr) {
      if (auto allowed = leader_->may_write(); !allowed) return allowed;
    }
    writes_.Increment();
    return {};
  }

  std::string signature() const override { return leader_ != nullptr ? leader_->signature() : ""; }

 private:
  prometheus::Counter& writes_;
  runtime::LeaderElector* leader_ = nullptr;  // set before the first write
};

// The HTTP server as the manager starts and stops it.
class ServeEndpoint final : public runtime::Endpoint {
 public:
  // `what` is served there, for the log.
  ServeEndpoint(Clock& clock, const std::string& address, serve::ServeHandler handler, Logger log,
                const char* what = "serving", serve::HttpServerOptions options = {})
      : server_(serve::make_http_server(clock, address, std::move(handler), std::move(options))),
        address_(address),
        log_(std::move(log)),
        what_(what) {}

  Status start() override {
    auto started = server_->start();
    if (!started) return started.error().with_context("serving at " + address_);
    const auto host = address_.substr(0, address_.rfind(':'));
    log_.info(what_, {{"address", host + ":" + std::to_string(server_->port())}});
    return {};
  }
  void stop() override { server_->stop(); }

 private:
  std::unique_ptr<serve::HttpServer> server_;
  const std::string address_;
  Logger log_;
  const char* const what_;
};

// What receives CloudEvents: its own client, as it writes whether this process leads or not.
struct EventEndpoint {
  std::unique_ptr<kube::Client> client;
  std::unique_ptr<serve::BearerTokens> tokens;
  std::unique_ptr<workflow::EventReceiver> receiver;
  std::unique_ptr<ServeEndpoint> endpoint;
};

// Tells the AgentReconciler of agents that have no heartbeat of their own.
class AgentNews final : public dispatch::AgentListener {
 public:
  explicit AgentNews(agent::AgentReconciler& reconciler) : reconciler_(reconciler) {}
  void agent_alive(const kube::ObjectKey& agent) override { reconciler_.heard(agent); }
  void agent_in_trouble(const kube::ObjectKey& agent, const std::string& reason,
                        const std::string& message) override {
    reconciler_.not_heard(agent, {reason, message});
  }

 private:
  agent::AgentReconciler& reconciler_;
};

runtime::LeaderElectionOptions election_options(const LeaderElectionConfig& config,
                                                const std::string& identity) {
  runtime::LeaderElectionOptions options;
  options.lease = {lease_namespace(config), config.name};
  options.identity = identity;
  options.lease_duration = config.lease_duration;
  options.renew_deadline = config.renew_deadline;
  options.retry_period = config.retry_period;
  return options;
}

runtime::EventOptions event_options(const EventsConfig& config, const std::string& identity) {
  runtime::EventOptions options;
  options.reporting_instance = identity;
  options.events_per_second = config.per_second;
  options.burst = config.burst;
  options.burst_per_object = config.burst_per_object;
  return options;
}

task::TaskTiming task_timing(const TaskConfig& config, const FairnessConfig& fairness) {
  task::TaskTiming timing;
  timing.running_write_delay = config.running_write_delay;
  timing.busy_write_delay = config.queued_write_delay;
  timing.waiting_refresh = config.waiting_refresh;
  timing.rebalance_after = config.rebalance_after;
  timing.aging_interval = fairness.aging_interval;
  timing.ttl_after_success = config.ttl_after_success;
  timing.ttl_after_failure = config.ttl_after_failure;
  return timing;
}

kube::ClientOptions client_options(kube::WriteGuard* guard, Duration deadline = std::chrono::seconds(30)) {
  kube::ClientOptions options;
  options.field_manager = kFieldManager;
  options.guard = guard;
  options.deadline = deadline;
  return options;
}

}  // namespace

// Members stand in the order in which they are needed, so that they go in the reverse of it.
struct Operator::Impl {
  Impl(const Invocation& invocation, OperatorEnvironment environment_in)
      : config(invocation.config),
        env(std::move(environment_in)),
        registry(std::make_shared<prometheus::Registry>()),
        client_metrics(*registry, env.api_host),
        gate(*registry),
        event_write_count(*registry),
        election(election_options(config.leader_election, env.identity)),
        client(env.transport, env.clock, env.random, client_metrics, client_options(&gate)),
        event_client(env.transport, env.clock, env.random, client_metrics,
                     client_options(nullptr, std::chrono::seconds(5))),
        election_client(env.transport, env.clock, env.random, client_metrics,
                        client_options(nullptr, election.request_deadline())),
        events(event_client, env.clock, env.log, *registry, event_options(config.events, env.identity)),
        audit(make_audit(config.audit, env, *registry)),
        task_metrics(*registry),
        waiting_metrics(std::make_shared<task::WaitingMetrics>(env.clock)),
        run_waiting_metrics(std::make_shared<workflow::RunWaitingMetrics>(env.clock)),
        scheduler(env.clock, task_metrics, env.random),
        lock_metrics(*registry),
        lock_keeper(client, caches, env.clock, lock_metrics, env.log),
        task_reconciler({client, caches, scheduler, env.clock, env.random, events, task_metrics, audit.get(),
                         &lock_keeper},
                        env.log, task_timing(config.task, config.fairness)),
        lock_reconciler({client, caches, scheduler, lock_keeper, env.clock, events, lock_metrics}, env.log),
        agent_reconciler({client, caches, env.clock, events, *registry, audit.get()}, env.log,
                         {config.agent.status_interval}),
        agent_news(agent_reconciler),
        dispatch({client, caches, env.clock, env.random, *registry, agent_news, env.agent_http,
                  config.dispatch.jobs, config.workers.dispatch},
                 env.log),
        workflow_reconciler(client, caches, events, env.clock, env.log, *registry, workflow_options()),
        run_reconciler(client, caches, events, env.clock, env.log, *registry,
                       {config.run.status_interval, audit.get()}),
        reloader({env.clock, env.log, *registry, events, self_reference(config.leader_election),
                  [source = invocation.source] { return source.read(); },
                  [this](const OperatorConfig& wanted) { apply(wanted); }},
                 invocation.source, invocation.text, config) {
    register_build_info(*registry);
    task_reconciler.set_rules(config.assignment.rules);
    make_controllers();
    set_fairness(config.fairness);
    make_reflectors();
    make_leader();
    make_endpoint();
    make_event_endpoint();
    make_manager();
  }

  // Null without an audit log.
  static std::unique_ptr<AuditFile> make_audit(const AuditConfig& config, const OperatorEnvironment& env,
                                               prometheus::Registry& registry) {
    if (config.path.empty()) return nullptr;
    return std::make_unique<AuditFile>(env.clock, env.log, registry, config.path, env.identity);
  }

  // What takes effect while it runs: every key that settings.cpp calls hot.
  void apply(const OperatorConfig& wanted) {
    env.log_level.set_level(wanted.log.level);
    events.set_rates(event_options(wanted.events, env.identity));
    set_fairness(wanted.fairness);
    task_reconciler.set_timing(task_timing(wanted.task, wanted.fairness));
    task_reconciler.set_rules(wanted.assignment.rules);
    agent_reconciler.set_timing({wanted.agent.status_interval});
    workflow_reconciler.set_counts_interval(wanted.workflow.status_interval);
    run_reconciler.set_status_interval(wanted.run.status_interval);
  }

  void set_fairness(const FairnessConfig& wanted) {
    scheduler.set_aging(wanted.aging_interval);
    for (const auto& controller : controllers) controller->queue().set_weights(wanted.namespace_weights);
  }

  workflow::WorkflowReconcilerOptions workflow_options() const {
    workflow::WorkflowReconcilerOptions options;
    options.counts_interval = config.workflow.status_interval;
    options.audit = audit.get();
    return options;
  }

  // `objects`: those that the keys name.
  template <class T>
  runtime::Controller& add_controller(const std::string& name, int workers, runtime::Reconciler& reconciler,
                                      const runtime::Store<T>& objects) {
    const runtime::ControllerOptions options{
        name, workers, {config.backoff.base, config.backoff.max}, [&objects](const kube::ObjectKey& key) {
          return objects.get(key) != nullptr;
        }};
    controllers.push_back(
        std::make_unique<runtime::Controller>(options, reconciler, env.clock, env.log, *registry));
    return *controllers.back();
  }

  // The order of watch() is the order in which handlers see a change: the scheduler knows a Task before its
  // reconcile is queued.
  void make_controllers() {
    caches.tasks.add_handler([waiting = waiting_metrics](const runtime::Store<api::Task>::Change& change) {
      waiting->task_changed(change.before.get(), change.after.get());
    });
    caches.runs.add_handler(
        [waiting = run_waiting_metrics](const runtime::Store<api::WorkflowRun>::Change& change) {
          waiting->run_changed(change.before.get(), change.after.get());
        });
    task_reconciler.watch(add_controller("task", config.workers.task, task_reconciler, caches.tasks).queue());
    lock_reconciler.watch(add_controller("lock", config.workers.task, lock_reconciler, caches.locks).queue());
    agent_reconciler.watch(
        add_controller("agent", config.workers.agent, agent_reconciler, caches.agents).queue());
    dispatch.tasks().watch(
        add_controller("dispatch", config.workers.dispatch, dispatch.tasks(), caches.tasks).queue());
    const int probers = std::max(1, config.workers.dispatch / 4);
    dispatch.agents().watch(add_controller("agent-probe", probers, dispatch.agents(), caches.agents).queue());
    workflow_reconciler.watch(
        add_controller("workflow", config.workers.workflow, workflow_reconciler, caches.workflows).queue());
    run_reconciler.watch(
        add_controller("workflowrun", config.workers.workflow_run, run_reconciler, caches.runs).queue());
  }

  std::vector<std::string> watched_namespaces() const { return parse_namespaces(config.namespace_); }

  template <class T>
  void add_reflector(const kube::ResourceType& type, const char* label, runtime::Store<T>& store) {
    for (const auto& name : watched_namespaces()) {
      reflectors.push_back(std::make_unique<runtime::Reflector>(
          client, env.clock, env.random, env.log, runtime::ReflectorSource{type, name, label, ""},
          std::make_unique<runtime::StoreSink<T>>(store, name)));
    }
  }

  void make_reflectors() {
    add_reflector(api::kAgent, "", caches.agents);
    add_reflector(kube::kLease, api::label::kAgent, caches.heartbeats);
    add_reflector(kube::kLease, api::label::kLock, caches.locks);
    add_reflector(api::kTask, "", caches.tasks);
    if (config.dispatch.jobs) add_reflector(dispatch::kJob, api::label::kAgent, dispatch.jobs());
    add_reflector(api::kWorkflow, "", caches.workflows);
    add_reflector(api::kWorkflowRun, "", caches.runs);
    add_reflector(api::kControllerRevision, api::label::kWorkflow, caches.revisions);
  }

  void make_leader() {
    if (!config.leader_election.enabled) return;
    leader = std::make_unique<runtime::LeaderElector>(
        election_client, env.clock, env.random, env.log, *registry, election,
        runtime::LeaderElector::Callbacks{[this] { manager->leadership_gained(); }, [this] { deposed(); },
                                          nullptr});
    gate.set_leader(leader.get());
    leader_lease.add_handler([this](const runtime::Store<kube::Lease>::Change& change) {
      if (change.after) leader->lease_seen(*change.after);
    });
    const runtime::ReflectorSource source{kube::kLease, election.lease.namespace_, "",
                                          "metadata.name=" + election.lease.name};
    leader_watch =
        std::make_unique<runtime::Reflector>(client, env.clock, env.random, env.log, source,
                                             std::make_unique<runtime::StoreSink<kube::Lease>>(leader_lease));
  }

  // What is under way must not be waited for: it may hang in a connection that leads nowhere, and another
  // process leads by now.
  void deposed() {
    dispatch.stop();
    env.transport.shutdown();
    manager->leadership_lost();
  }

  void make_endpoint() {
    if (config.serve.address.empty()) return;  // in a simulation; the configuration file cannot say so
    health.add_ready_check("caches", [this]() -> Status {
      if (manager->caches_synced()) return {};
      std::string missing;
      for (const auto& line : manager->unsynced()) missing += (missing.empty() ? "" : "; ") + line;
      return {ErrorCode::Unavailable, missing};
    });
    std::vector<const runtime::Reflector*> watched;
    for (const auto& reflector : reflectors) watched.push_back(reflector.get());
    const serve::Collectables metrics{
        registry, waiting_metrics, run_waiting_metrics,
        std::make_shared<runtime::ReflectorMetrics>(env.clock, std::move(watched)),
        std::make_shared<serve::ProcessMetrics>()};
    endpoint = std::make_unique<ServeEndpoint>(env.clock, config.serve.address,
                                               serve::make_routes(health, metrics), env.log);
  }

  void make_event_endpoint() {
    const auto& wanted = config.cloud_events;
    if (wanted.address.empty()) return;
    cloud_events.client =
        std::make_unique<kube::Client>(env.transport, env.clock, env.random, client_metrics,
                                       client_options(&event_write_count, std::chrono::seconds(10)));
    if (!wanted.token_file.empty())
      cloud_events.tokens = std::make_unique<serve::BearerTokens>(env.clock, wanted.token_file);
    cloud_events.receiver = std::make_unique<workflow::EventReceiver>(
        workflow::EventReceiverParts{*cloud_events.client, caches, events, env.clock, *registry,
                                     cloud_events.tokens.get(), audit.get(),
                                     [this] { return manager->caches_synced(); }},
        env.log);
    cloud_events.receiver->watch();
    cloud_events.endpoint = std::make_unique<ServeEndpoint>(
        env.clock, wanted.address,
        [this](const serve::ServeRequest& request) { return cloud_events.receiver->handle(request); },
        env.log, "receiving CloudEvents", event_server_options());
  }

  serve::HttpServerOptions event_server_options() const {
    const auto& wanted = config.cloud_events;
    serve::HttpServerOptions options;
    options.timeout = std::chrono::seconds(10);
    options.max_connections = 256;
    options.max_body_bytes = static_cast<std::uint64_t>(wanted.max_bytes);
    options.workers = 8;
    if (!wanted.tls_certificate.empty())
      options.tls = serve::TlsFiles{wanted.tls_certificate, wanted.tls_key};
    options.on_tls_problem = [log = env.log](const Error& error) {
      log.error("the certificate for CloudEvents cannot be used; the former stays in use",
                {{"error", error.message}});
    };
    return options;
  }

  void make_manager() {
    runtime::ManagerParts parts;
    if (endpoint != nullptr) parts.endpoints = {endpoint.get()};
    if (cloud_events.endpoint != nullptr) parts.endpoints.push_back(cloud_events.endpoint.get());
    for (const auto& reflector : reflectors) parts.reflectors.push_back(reflector.get());
    parts.leader = leader.get();
    parts.leader_watch = leader_watch.get();
    parts.on_leading = {
        [this] { return task::refresh_live_tasks(client, caches.tasks, watched_namespaces()); },
        [this] {
          ::malloc_trim(0);  // the first list leaves a heap full of holes behind
          agent_reconciler.start();
          scheduler.start(task::recent_assignments(caches.tasks, env.clock.wall_now()));
          return Status();
        }};
    for (const auto& controller : controllers) parts.controllers.push_back(controller.get());
    parts.events = &events;
    runtime::ManagerOptions options;
    options.drain = config.drain;
    manager = std::make_unique<runtime::Manager>(env.clock, env.log, std::move(parts), options);
  }

  const OperatorConfig config;
  OperatorEnvironment env;
  std::shared_ptr<prometheus::Registry> registry;
  kube::ClientMetrics client_metrics;
  WriteGate gate;
  WriteGate event_write_count;  // never asks who leads
  const runtime::LeaderElectionOptions election;
  kube::Client client;
  kube::Client event_client;
  kube::Client election_client;
  runtime::ApiEventRecorder events;
  api::Caches caches;
  std::unique_ptr<AuditFile> audit;
  task::TaskMetrics task_metrics;
  std::shared_ptr<task::WaitingMetrics> waiting_metrics;
  std::shared_ptr<workflow::RunWaitingMetrics> run_waiting_metrics;
  task::Scheduler scheduler;
  task::LockMetrics lock_metrics;
  task::LockKeeper lock_keeper;
  task::TaskReconciler task_reconciler;
  task::LockReconciler lock_reconciler;
  agent::AgentReconciler agent_reconciler;
  AgentNews agent_news;
  dispatch::Dispatch dispatch;
  workflow::WorkflowReconciler workflow_reconciler;
  workflow::RunReconciler run_reconciler;
  std::vector<std::unique_ptr<runtime::Controller>> controllers;
  std::vector<std::unique_ptr<runtime::Reflector>> reflectors;
  serve::Health health;
  std::unique_ptr<ServeEndpoint> endpoint;
  EventEndpoint cloud_events;
  std::unique_ptr<runtime::Manager> manager;
  std::unique_ptr<runtime::LeaderElector> leader;
  runtime::Store<kube::Lease> leader_lease;
  std::unique_ptr<runtime::Reflector> leader_watch;
  ConfigReloader reloader;
};

Operator::Operator(const Invocation& invocation, OperatorEnvironment environment)
    : impl_(std::make_unique<Impl>(invocation, std::move(environment))) {}

Operator::~Operator() = default;

Status Operator::run() {
  AuditFile* const audit = impl_->audit.get();
  if (audit != nullptr) {
    if (auto opened = audit->open(); !opened) return opened;
  }
  if (auto* const tokens = impl_->cloud_events.tokens.get(); tokens != nullptr) {
    if (auto loaded = tokens->load(); !loaded) return loaded;
  }
  impl_->reloader.start();
  auto ended = impl_->manager->run();
  impl_->dispatch.stop(true);  // their time to drain is over
  impl_->reloader.stop();
  if (audit != nullptr) audit->stop();  // workers that wait for it can end
  return ended;
}

void Operator::request_stop() {
  impl_->dispatch.stop();
  impl_->manager->request_stop();
}

void Operator::request_reload() {
  impl_->reloader.request();
}

}  // namespace convoke::programs
