// Receives CloudEvents over HTTP, starts the runs that triggers of the type Event ask for, and gives them to
// the steps that wait for one. Start here to read how events come in; cloud_event.h reads them,
// event_triggers.h and event_waits.h find who wants them.
//
//   POST /events                        for the Workflows of all namespaces
//   POST /namespaces/NAME/events        for those of one
//
//   202  each run is stored in the API, or the event at the run that waits: now, or when it came before; the
//        body names them
//   200  no trigger and no step wants it
//   400, 413, 415  it is no CloudEvent, or too large;  401  a wrong token
//   422  what it holds does not fit the parameters of the Workflows that want it
//   429, 503  it is not stored; send it again after Retry-After
//
// Every operator may receive, whether it leads or not: a run's name depends on nothing but the Workflow, the
// trigger, and the event's source and id, so that an event that comes twice, at two operators or before and
// after a crash, is one run. That holds as long as the run is there, and for the last ones that the history
// limits deleted (WorkflowStatus::past_events).
//
// Thread safety: handle() from every thread; watch() once. Ownership: what the constructor takes outlives
// this. Errors: become answers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/base/logging.h"
#include "controller/kube/client.h"
#include "controller/runtime/event_recorder.h"
#include "controller/serve/bearer_tokens.h"
#include "controller/serve/http_server.h"
#include "reconcilers/api/audit_log.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/workflow/event_triggers.h"
#include "reconcilers/workflow/event_waits.h"

namespace prometheus {
class Registry;
}

namespace convoke::workflow {

struct EventReceiverParts {
  kube::Client& client;  // writes whether we lead or not
  api::Caches& caches;
  runtime::EventRecorder& events;
  Clock& clock;
  prometheus::Registry& registry;
  serve::BearerTokens* tokens = nullptr;  // null: everybody may bring events
  api::AuditLog* audit = nullptr;         // null: nothing is told
  std::function<bool()> is_ready;         // the caches are synced
};

class EventReceiver {
 public:
  EventReceiver(EventReceiverParts parts, Logger log);
  ~EventReceiver();

  // Before the caches hold anything.
  void watch();
  serve::ServeResponse handle(const serve::ServeRequest& request);

 private:
  struct Metrics;
  struct Delivery;  // what became of the events of one request

  serve::ServeResponse respond(const serve::ServeRequest& request);
  serve::ServeResponse receive(const serve::ServeRequest& request, const std::string& namespace_);
  void deliver(const CloudEvent& event, const std::string& namespace_, Delivery& delivery);
  void deliver_to_triggers(const CloudEvent& event, const std::string& namespace_, Delivery& delivery);
  void deliver_to_steps(const CloudEvent& event, const std::string& namespace_, Delivery& delivery);
  void give(const EventWait& wait, const CloudEvent& event, Delivery& delivery);
  void fail(const Error& error, Delivery& delivery);
  void offer(const EventTrigger& trigger, const CloudEvent& event, Delivery& delivery);
  void store(const EventTrigger& trigger, const CloudEvent& event, Json parameters, Delivery& delivery);
  // True if it was made now, false if it was there already.
  Result<bool> create(const EventTrigger& trigger, const std::string& name, Json manifest);
  bool is_past(const EventTrigger& trigger, const std::string& key) const;
  void cannot_use(const EventTrigger& trigger, const CloudEvent& event, const std::string& why,
                  Delivery& delivery);

  const EventReceiverParts parts_;
  const Logger log_;
  const std::unique_ptr<Metrics> metrics_;
  EventTriggers triggers_;
  EventWaits waits_;
};

}  // namespace convoke::workflow
