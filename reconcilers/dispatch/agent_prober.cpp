#include "reconcilers/dispatch/agent_prober.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "reconcilers/dispatch/http_answer.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

using api::DispatchMode;
using runtime::Done;

constexpr Duration kShortestInterval = std::chrono::milliseconds(500);
constexpr Duration kLongestProbe = std::chrono::seconds(5);

bool is_probed(const api::Agent* agent) {
  return agent != nullptr && agent->spec.dispatch.mode != DispatchMode::Pull && !agent->meta.being_deleted();
}

bool same_to_a_probe(const api::Agent* before, const api::Agent* after) {
  return before != nullptr && after != nullptr && before->spec.dispatch == after->spec.dispatch &&
         before->spec.heartbeat_interval == after->spec.heartbeat_interval;
}

}  // namespace

AgentProber::AgentProber(api::Caches& caches, ServiceClient* service, bool jobs_enabled,
                         AgentListener& listener)
    : caches_(caches), service_(service), jobs_enabled_(jobs_enabled), listener_(listener) {}

void AgentProber::watch(runtime::WorkQueue& queue) {
  queue_ = &queue;
  caches_.agents.add_handler([&queue](const runtime::Store<api::Agent>::Change& change) {
    if (is_probed(change.after.get()) && !same_to_a_probe(change.before.get(), change.after.get())) {
      queue.add(change.after->meta.key());
    }
  });
}

void AgentProber::stop() {
  std::vector<std::shared_ptr<kube::HttpCancel>> ended;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [key, cancel] : requests_) ended.push_back(cancel);
  }
  for (const auto& cancel : ended) cancel->cancel();
}

runtime::ReconcileResult AgentProber::reconcile(const kube::ObjectKey& key) {
  const auto agent = caches_.agents.get(key);
  if (!is_probed(agent.get())) return Done{};
  if (agent->spec.dispatch.mode == DispatchMode::HTTP && service_ == nullptr) return Done{};
  const Finding finding = probe(*agent);
  if (finding.reason.empty()) {
    listener_.agent_alive(key);
  } else {
    listener_.agent_in_trouble(key, finding.reason, finding.message);
  }
  const int priority = finding.reason.empty() ? runtime::kPriorityHigh : runtime::kPriorityLow;
  queue_->add_after(key, std::max(agent->spec.heartbeat_interval, kShortestInterval), priority);
  return Done{};
}

AgentProber::Finding AgentProber::probe(const api::Agent& agent) {
  if (agent.spec.dispatch.mode == DispatchMode::Job) {
    if (jobs_enabled_) return {};
    return {reason::kJobsNotEnabled, "the operator makes no Jobs: its setting dispatch.jobs is false"};
  }
  const api::HttpDispatch& http = agent.spec.dispatch.http;
  if (const auto address = parse_address(http.url); !address) {
    return {reason::kHealthCheckFailed, address.error().message};
  }
  if (!http.health_path.empty()) return ask(agent);
  const Status secrets = service_->check_secrets(agent);
  // Where the API cannot be asked, that is nothing about the agent.
  const bool refused = !secrets && secrets.error().reason == reason::kSecretNotReadable;
  return refused ? Finding{reason::kSecretNotReadable, secrets.error().message} : Finding{};
}

AgentProber::Finding AgentProber::ask(const api::Agent& agent) {
  const kube::ObjectKey key = agent.meta.key();
  const auto cancel = std::make_shared<kube::HttpCancel>();
  {
    const MutexLock lock(mutex_);
    if (stopping_) cancel->cancel();
    requests_[key] = cancel;
  }
  const api::HttpDispatch& http = agent.spec.dispatch.http;
  const auto address = parse_address(http.url);
  ServiceRequest request{"GET", origin_of(address->server) + http.health_path};
  request.deadline =
      std::min({http.timeout, std::max(agent.spec.heartbeat_interval, kShortestInterval), kLongestProbe});
  const auto answer = service_->send(agent, request, *cancel);
  {
    const MutexLock lock(mutex_);
    requests_.erase(key);
  }
  if (!answer && answer.error().reason == reason::kSecretNotReadable) {
    return {reason::kSecretNotReadable, answer.error().message};
  }
  if (!answer) return {reason::kHealthCheckFailed, answer.error().message};
  if (answer->status >= 200 && answer->status < 300) return {};
  return {reason::kHealthCheckFailed,
          http.health_path + " answered with HTTP status " + std::to_string(answer->status)};
}

}  // namespace convoke::dispatch
