#include "reconcilers/workflow/event_receiver.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "controller/runtime/metric_builders.h"
#include "reconcilers/api/metric_names.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/trigger_check.h"
#include "reconcilers/workflow/trigger_metrics.h"
#include "reconcilers/workflow/trigger_run.h"
#include "reconcilers/workflow/workflow_audit.h"

namespace convoke::workflow {
namespace {

constexpr char kStarted[] = "started";
constexpr char kDelivered[] = "delivered";
constexpr char kDuplicate[] = "duplicate";
constexpr char kUnmatched[] = "unmatched";
constexpr char kUnusable[] = "unusable";
constexpr char kInvalid[] = "invalid";
constexpr char kUnauthorized[] = "unauthorized";
constexpr char kUnavailable[] = "unavailable";

constexpr std::chrono::seconds kRetryAfter{5};
// Every answer there is.
constexpr int kCodes[] = {200, 202, 400, 401, 404, 405, 413, 415, 422, 429, 503};

// The namespace that the path names, empty for all; nothing if there is no such path.
std::optional<std::string> namespace_of(const std::string& path) {
  constexpr std::string_view kAll = "/events";
  constexpr std::string_view kPrefix = "/namespaces/";
  if (path == kAll) {
    return "";
  }
  if (!path.starts_with(kPrefix) || !path.ends_with(kAll) || path.size() <= kPrefix.size() + kAll.size()) {
    return std::nullopt;
  }
  auto name = path.substr(kPrefix.size(), path.size() - kPrefix.size() - kAll.size());
  return name.find('/') == std::string::npos ? std::optional(std::move(name)) : std::nullopt;
}

serve::ServeResponse answer(int status, Json body) {
  serve::ServeResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = dump_json(body) + "\n";
  return response;
}

serve::ServeResponse refusal(int status, const std::string& message) {
  return answer(status, {{"message", message}});
}

serve::ServeResponse later(int status, Duration after, const std::string& message) {
  auto response = refusal(status, message);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(after).count();
  response.headers["Retry-After"] = std::to_string(std::max<std::int64_t>(seconds, 1));
  return response;
}

// An answer about this object; what else the API server refuses, a quota for one, may be gone later.
bool is_final(const Error& error) {
  return error.http_status != 0 && (error.code == ErrorCode::Invalid || error.code == ErrorCode::NotFound);
}

}  // namespace

struct EventReceiver::Metrics {
  explicit Metrics(prometheus::Registry& registry) : triggers(registry) {
    for (const int code : kCodes) {
      codes.emplace(code, &runtime::make_counter(registry, metric::kCloudEventRequests,
                                                 "Requests that brought CloudEvents, by the answer's code",
                                                 {{"code", std::to_string(code)}}));
    }
    for (const char* outcome :
         {kStarted, kDelivered, kDuplicate, kUnmatched, kUnusable, kInvalid, kUnauthorized, kUnavailable}) {
      counters.emplace(outcome,
                       &runtime::make_counter(registry, metric::kCloudEvents,
                                              "CloudEvents that came, by what became of each at each trigger "
                                              "and step that wants it",
                                              {{"outcome", outcome}}));
    }
  }
  void count(const std::string& outcome) { counters.at(outcome)->Increment(); }
  void answered(int code) {
    if (const auto counter = codes.find(code); counter != codes.end()) {
      counter->second->Increment();
    }
  }

  TriggerMetrics triggers;
  std::map<int, prometheus::Counter*> codes;
  std::map<std::string, prometheus::Counter*> counters;
};

struct EventReceiver::Delivery {
  Json runs = Json::array();
  Json problems = Json::array();
  std::optional<Error> failure;  // the first: some event is not stored
  bool is_wanted = false;        // the event that is being delivered
};

EventReceiver::EventReceiver(EventReceiverParts parts, Logger log)
    : parts_(std::move(parts)),
      log_(std::move(log)),
      metrics_(std::make_unique<Metrics>(parts_.registry)),
      waits_(parts_.client, parts_.caches, parts_.events, parts_.clock) {}

EventReceiver::~EventReceiver() = default;

void EventReceiver::watch() {
  triggers_.watch(parts_.caches.workflows);
  waits_.watch();
}

serve::ServeResponse EventReceiver::handle(const serve::ServeRequest& request) {
  auto response = respond(request);
  metrics_->answered(response.status);
  return response;
}

serve::ServeResponse EventReceiver::respond(const serve::ServeRequest& request) {
  const auto namespace_ = namespace_of(request.path);
  if (!namespace_) {
    return refusal(404, "there are POST /events and POST /namespaces/NAME/events");
  }
  if (request.method != "POST") {
    auto response = refusal(405, "events are sent with POST");
    response.headers["Allow"] = "POST";
    return response;
  }
  const auto authorization = request.headers.find("authorization");
  if (parts_.tokens != nullptr &&
      !parts_.tokens->accept(authorization == request.headers.end() ? "" : authorization->second)) {
    metrics_->count(kUnauthorized);
    auto response = refusal(401, "a bearer token is needed, and this is none");
    response.headers["WWW-Authenticate"] = "Bearer";
    return response;
  }
  return receive(request, *namespace_);
}

serve::ServeResponse EventReceiver::receive(const serve::ServeRequest& request,
                                            const std::string& namespace_) {
  const auto events = read_cloud_events(request.headers, request.body);
  if (!events) {
    metrics_->count(kInvalid);
    return refusal(events.error().http_status, events.error().message);
  }
  if (!parts_.is_ready()) {
    metrics_->count(kUnavailable);
    return later(503, kRetryAfter, "the operator has just started and does not know all Workflows yet");
  }
  Delivery delivery;
  for (const auto& event : *events) {
    deliver(event, namespace_, delivery);
  }
  if (delivery.failure) {
    const auto& error = *delivery.failure;
    log_.warn("an event is not stored", {{"error", error.message}});
    return later(error.code == ErrorCode::Throttled ? 429 : 503, error.retry_after.value_or(kRetryAfter),
                 "not all is stored; send it again: the API server cannot be reached or refuses");
  }
  const bool is_stored = !delivery.runs.empty();
  const int status = is_stored ? 202 : delivery.problems.empty() ? 200 : 422;
  Json body = {{"runs", std::move(delivery.runs)}};
  if (!delivery.problems.empty()) {
    body["problems"] = std::move(delivery.problems);
  } else if (!is_stored) {
    body["message"] = "no trigger and no step wants it";
  }
  return answer(status, std::move(body));
}

void EventReceiver::deliver(const CloudEvent& event, const std::string& namespace_, Delivery& delivery) {
  delivery.is_wanted = false;
  deliver_to_triggers(event, namespace_, delivery);
  deliver_to_steps(event, namespace_, delivery);
  if (!delivery.is_wanted) {
    metrics_->count(kUnmatched);
  }
}

void EventReceiver::deliver_to_triggers(const CloudEvent& event, const std::string& namespace_,
                                        Delivery& delivery) {
  for (const auto& trigger : triggers_.find(event.type, namespace_)) {
    const auto wanted = fits(*trigger, event);
    delivery.is_wanted = delivery.is_wanted || !wanted || *wanted;
    if (!wanted) {
      cannot_use(*trigger, event, "the filter cannot be evaluated: " + wanted.error().message, delivery);
    } else if (*wanted) {
      offer(*trigger, event, delivery);
    }
  }
}

void EventReceiver::deliver_to_steps(const CloudEvent& event, const std::string& namespace_,
                                     Delivery& delivery) {
  const auto waits = waits_.find(event, namespace_);
  if (!waits) {
    return fail(waits.error(), delivery);
  }
  for (const auto& wait : *waits) {
    delivery.is_wanted = true;
    give(wait, event, delivery);
  }
}

void EventReceiver::give(const EventWait& wait, const CloudEvent& event, Delivery& delivery) {
  const auto& meta = wait.run->meta;
  if (!wait.has_it) {
    const auto answer = parts_.client.patch(api::kWorkflowRun, meta.key(), event_patch(wait, event),
                                            {kube::PatchType::Merge});
    if (!answer && is_final(answer.error())) {
      return;  // the run is gone, or cannot hold it: nobody waits any more
    }
    if (!answer) {
      return fail(answer.error(), delivery);
    }
    parts_.caches.runs.overlay(
        std::make_shared<const api::WorkflowRun>(api::WorkflowRun::from_json(*answer)));
  }
  metrics_->count(wait.has_it ? kDuplicate : kDelivered);
  delivery.runs.push_back({{"namespace", meta.namespace_},
                           {"name", meta.name},
                           {"step", wait.step},
                           {"workflow", wait.run->spec.workflow_name},
                           {"duplicate", wait.has_it}});
}

void EventReceiver::fail(const Error& error, Delivery& delivery) {
  metrics_->count(kUnavailable);
  delivery.is_wanted = true;
  delivery.failure = delivery.failure ? *delivery.failure : error;
}

void EventReceiver::offer(const EventTrigger& trigger, const CloudEvent& event, Delivery& delivery) {
  auto parameters =
      fill_parameters(trigger.workflow->spec, trigger.trigger, event_roots(*trigger.workflow, event));
  if (!parameters) {
    return cannot_use(trigger, event, parameters.error().message, delivery);
  }
  store(trigger, event, std::move(*parameters), delivery);
}

void EventReceiver::store(const EventTrigger& trigger, const CloudEvent& event, Json parameters,
                          Delivery& delivery) {
  const auto& meta = trigger.workflow->meta;
  const std::string key = event_key(meta.uid, trigger.trigger.key(), event);
  const std::string name = name_with_suffix(meta.name, key);
  Result<bool> created = false;
  if (!is_past(trigger, key)) {
    TriggeredRun run{name, "", std::move(parameters), event.json, {{annotation::kEventKey, key}}};
    created = create(trigger, name, triggered_run(*trigger.workflow, trigger.trigger, std::move(run)));
  }
  if (created) {
    metrics_->count(*created ? kStarted : kDuplicate);
    if (*created) {
      metrics_->triggers.started(api::TriggerType::Event);
    }
    delivery.runs.push_back({{"namespace", meta.namespace_},
                             {"name", name},
                             {"trigger", trigger.trigger.key()},
                             {"workflow", meta.name},
                             {"duplicate", !*created}});
  } else if (is_final(created.error())) {
    cannot_use(trigger, event, created.error().message, delivery);
  } else {
    fail(created.error(), delivery);
  }
}

Result<bool> EventReceiver::create(const EventTrigger& trigger, const std::string& name, Json manifest) {
  const auto& meta = trigger.workflow->meta;
  const kube::ObjectKey key{meta.namespace_, name};
  auto answer = parts_.client.create(api::kWorkflowRun, manifest);
  if (answer) {
    if (parts_.audit != nullptr) {
      parts_.audit->record(audit_of_creation(api::kWorkflowRun, *answer, "Workflow/" + meta.name));
    }
    parts_.events.record(api::reference(*trigger.workflow), runtime::EventType::Normal, reason::kRunCreated,
                         "Trigger", "trigger Event \"" + trigger.trigger.key() + "\" made run " + name);
    return true;
  }
  if (answer.error().code != ErrorCode::AlreadyExists) {
    return answer.error();
  }
  answer = parts_.client.get(api::kWorkflowRun, key);
  if (!answer) {
    // Deleted meanwhile: whether it was ours is not known any more, so the sender asks again.
    return answer.error().code == ErrorCode::NotFound
               ? Error{ErrorCode::Unavailable, "WorkflowRun " + name + " was there and is gone"}
               : answer.error();
  }
  if (is_controlled_by(kube::meta_from_json(*answer), meta.uid)) {
    return false;
  }
  return Error{ErrorCode::Unavailable, "WorkflowRun " + key.str() + " exists and is not of this Workflow"};
}

bool EventReceiver::is_past(const EventTrigger& trigger, const std::string& key) const {
  const auto now = parts_.caches.workflows.get(trigger.workflow->meta.key());
  if (!now || now->meta.uid != trigger.workflow->meta.uid) {
    return false;
  }
  const auto& past = now->status.past_events;
  return std::find(past.begin(), past.end(), key) != past.end();
}

// People learn it at the Workflow, the sender from the answer.
void EventReceiver::cannot_use(const EventTrigger& trigger, const CloudEvent& event, const std::string& why,
                               Delivery& delivery) {
  metrics_->count(kUnusable);
  metrics_->triggers.refused(api::TriggerType::Event);
  const std::string what = api::cut_text(why.substr(0, why.find('\n')), 500);
  parts_.events.record(
      api::reference(*trigger.workflow), runtime::EventType::Warning, reason::kEventNotUsable, "Trigger",
      "trigger Event \"" + trigger.trigger.key() + "\" cannot use event " + api::cut_text(event.id, 100) +
          " of " + api::cut_text(event.source, 100) + ": " + what);
  delivery.problems.push_back({{"namespace", trigger.workflow->meta.namespace_},
                               {"workflow", trigger.workflow->meta.name},
                               {"trigger", trigger.trigger.key()},
                               {"message", what}});
}

}  // namespace convoke::workflow
