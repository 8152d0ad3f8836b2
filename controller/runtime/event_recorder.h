// Events (events.k8s.io/v1): what happened to an object and why, for `kubectl describe`.
//
// Asynchronous: record() never blocks and never fails a reconcile. Equal events (object, type, reason, action, note)
// become one with a series count; a flood of one object or of all is limited (token buckets), Warnings going first,
// and what was dropped is counted in convoke_events_dropped_total. flush() sends what waits.
//
// Thread safety: all methods from every thread.
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
  // `reason`: CamelCase, why ("Assigned"); `action`: CamelCase, what was done ("Assign"); `note`: for people, cut to
  // 1 KiB.
  virtual void record(const kube::ObjectReference& regarding, EventType type, const std::string& reason,
                      const std::string& action, const std::string& note) = 0;
};

struct EventOptions {
  std::string reporting_controller = "convoke.dev/operator";
  std::string reporting_instance;       // the Pod's or host's name
  double events_per_second = 20;        // over all objects
  int burst = 100;
  int burst_per_object = 25;            // then one each 300 s, as client-go's spam filter
};

// Sends through `client` from a thread of its own.
class ApiEventRecorder final : public EventRecorder {
 public:
  ApiEventRecorder(kube::Client& client, Clock& clock, Logger log, prometheus::Registry& registry,
                   EventOptions options);
  ~ApiEventRecorder() override;
  void record(const kube::ObjectReference& regarding, EventType type, const std::string& reason,
              const std::string& action, const std::string& note) override;
  void start();
  // Sends what waits, for `timeout` at most, then ends the thread.
  void stop(Duration timeout);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
