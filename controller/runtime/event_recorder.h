// Events (events.k8s.io/v1): what happened to an object and why, for `kubectl describe`.
//
// Asynchronous: record() never blocks and never fails a reconcile. Equal events (object, type, reason,
// action, note) become one with a series count; a flood of one object or of all is limited (token buckets),
// Warnings going first, and what was dropped is counted in convoke_events_dropped_total{reason}. What exactly
// is sent when: event_aggregator.h.
//
// Thread safety: all methods from every thread, but start and stop once.
// Errors: an Event that cannot be sent is dropped, counted and logged at debug.
#pragma once

#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/kube/client.h"
#include "controller/kube/object.h"

namespace prometheus {
class Registry;
}

namespace convoke::runtime {

enum class EventType { Normal, Warning };

class EventRecorder {
 public:
  virtual ~EventRecorder() = default;
  // `reason`: CamelCase, why ("Assigned"); `action`: CamelCase, what was done ("Assign"); `note`: for people,
  // cut to 1 KiB.
  virtual void record(const kube::ObjectReference& regarding, EventType type, const std::string& reason,
                      const std::string& action, const std::string& note) = 0;
};

struct EventOptions {
  std::string reporting_controller = "convoke.dev/operator";
  std::string reporting_instance = {};  // the Pod's or host's name
  double events_per_second = 20;        // over all objects
  int burst = 100;
  int burst_per_object = 25;  // then one each 300 s, as client-go's spam filter
};

// Sends through `client` from a thread of its own. The client has no write guard (what happened is told even
// by a process that was deposed) and a short deadline, since one slow request holds up all other Events.
class ApiEventRecorder final : public EventRecorder {
 public:
  ApiEventRecorder(kube::Client& client, Clock& clock, Logger log, prometheus::Registry& registry,
                   EventOptions options);
  ~ApiEventRecorder() override;
  void record(const kube::ObjectReference& regarding, EventType type, const std::string& reason,
              const std::string& action, const std::string& note) override;
  void start();
  // Other rates from now on; the rest of the options stays.
  void set_rates(const EventOptions& options);
  // Sends what waits, for `timeout` at most (and the request in progress), then ends the thread. What is
  // left, and what is recorded later, is dropped.
  void stop(Duration timeout);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
