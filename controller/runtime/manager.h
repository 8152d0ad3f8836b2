// Starts and stops everything in order.
//
//   start: endpoints -> caches (all synced) -> leadership -> workers
//   stop:  workers drained (30 s) -> caches -> endpoints -> lease released -> events flushed
//
// The order is the list of phases in manager_sequence.cpp, with a test; the event recorder starts before all.
// Losing leadership ends run() with an error, because a process that was deposed starts afresh.
//
// Thread safety: request_stop() from every thread (and signal-safe through SignalStop in programs); the rest
// by one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/runtime/controller.h"
#include "controller/runtime/event_recorder.h"
#include "controller/runtime/leader_election.h"
#include "controller/runtime/reflector.h"

namespace convoke::runtime {

// Something that is served: health, metrics. Implemented in controller/serve, bound in programs.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  virtual Status start() = 0;
  virtual void stop() = 0;
};

struct ManagerParts {
  std::vector<Endpoint*> endpoints;
  std::vector<Reflector*> reflectors;
  LeaderElector* leader = nullptr;    // null: always leading
  Reflector* leader_watch = nullptr;  // what tells it of its Lease; nothing waits for it
  // In this order, after the caches synced and before workers start. One that fails is tried again until it
  // succeeds, leadership is lost, or the process stops.
  std::vector<std::function<Status()>> on_leading;
  std::vector<Controller*> controllers;
  ApiEventRecorder* events = nullptr;
};

struct ManagerOptions {
  Duration sync_timeout = std::chrono::minutes(2);  // logged as a warning each time it passes; never fatal
  Duration drain = std::chrono::seconds(30);
};

class Manager {
 public:
  Manager(Clock& clock, Logger log, ManagerParts parts, ManagerOptions options = {});
  ~Manager();

  // Blocks until request_stop() or lost leadership.
  Status run();
  void request_stop();
  // The LeaderElector's callbacks are wired to these by the composition root.
  void leadership_gained();
  void leadership_lost();

  // For /readyz: true once all caches are synced (standbys too).
  bool caches_synced() const;
  // One line for each reflector that is not synced, with its last error.
  std::vector<std::string> unsynced() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
