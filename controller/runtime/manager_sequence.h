// The order in which a manager starts and stops its parts, over small interfaces, so that a test can watch
// it. Manager (manager.h) binds the real parts to them.
//
// Thread safety: run() once; all else from every thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "controller/runtime/manager.h"

namespace convoke::runtime {

class CachePart {
 public:
  virtual ~CachePart() = default;
  virtual void start() = 0;
  virtual void stop() = 0;
  virtual bool synced() const = 0;
  virtual bool wait_synced(Duration timeout) = 0;
  virtual std::string name() const = 0;        // for people: "tasks.convoke.dev"
  virtual std::string last_error() const = 0;  // empty if there is none
};

class LeaderPart {
 public:
  virtual ~LeaderPart() = default;
  virtual void start() = 0;
  virtual void stop(bool release) = 0;
};

class WorkerPart {
 public:
  virtual ~WorkerPart() = default;
  virtual void start() = 0;
  virtual bool stop(Duration drain) = 0;  // true if all work ended
  virtual std::string name() const = 0;
};

class EventPart {
 public:
  virtual ~EventPart() = default;
  virtual void start() = 0;
  virtual void stop(Duration timeout) = 0;
};

struct SequenceParts {
  std::vector<Endpoint*> endpoints;
  std::vector<std::unique_ptr<CachePart>> caches;
  std::unique_ptr<LeaderPart> leader;  // null: always leading
  std::vector<std::function<Status()>> on_leading;
  std::vector<std::unique_ptr<WorkerPart>> workers;
  std::unique_ptr<EventPart> events;  // may be null
};

class ManagerSequence {
 public:
  ManagerSequence(Clock& clock, Logger log, SequenceParts parts, ManagerOptions options);

  // As Manager's own.
  Status run();
  void request_stop();
  void leadership_gained();
  void leadership_lost();
  bool caches_synced() const;
  std::vector<std::string> unsynced() const;

 private:
  enum class Phase { Events, Endpoints, Caches, Leadership, Workers };
  struct StartStep;
  struct StopStep;

  Status start_all();
  void stop_all();

  Status start_events();
  Status start_endpoints();
  Status start_caches();
  Status start_leadership();
  Status start_workers();

  bool prepare(const std::function<Status()>& step);  // false: told to end before it succeeded

  void drain_workers();
  void stop_caches();
  void stop_endpoints();
  void release_lease();
  void flush_events();

  void wait_for_end();
  bool ending() const;  // asked to stop, or deposed

  Clock& clock_;
  const Logger log_;
  const SequenceParts parts_;
  const ManagerOptions options_;

  // Only run() looks at these.
  std::set<Phase> begun_;
  std::size_t endpoints_started_ = 0;
  bool drained_ = true;

  mutable Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  bool stop_requested_ GUARDED_BY(mutex_) = false;
  bool leading_ GUARDED_BY(mutex_) = false;
  bool lost_ GUARDED_BY(mutex_) = false;
};

}  // namespace convoke::runtime
