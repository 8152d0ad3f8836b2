// The services of a simulation: agents of the mode HTTP, which do what they are told and keep to the rule
// that one Idempotency-Key is one piece of work. Requests and answers get lost, come late, or meet a service
// that has just forgotten everything.
//
// Each operator has a connection of its own (connect()), which ends with it: nothing that a killed process
// was about to send arrives.
//
// Thread safety: send() of a connection from every thread; the rest by the driver. Ownership: the clock
// outlives the services, and they outlive their connections.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "controller/kube/http_client.h"
#include "controller/kube/json.h"
#include "tests/simulation/dice.h"

namespace convoke::simulation {

// What a service did. Called without any lock of the services.
class ServiceListener {
 public:
  virtual ~ServiceListener() = default;
  // A Task was taken to work on: at every request that asks for it, also the second of the same key.
  virtual void service_took(const std::string& task_uid, const std::string& assignment) = 0;
  virtual void service_succeeded(const std::string& assignment) = 0;
};

class Services {
 public:
  Services(Clock& clock, std::uint64_t seed, Duration latency, ServiceListener& listener);

  class Connection : public kube::HttpClient {
   public:
    // For ever.
    virtual void cut() = 0;
  };
  // `clock`: of the process, which may stand still.
  std::unique_ptr<Connection> connect(Clock& clock);

  static std::string url(const std::string& service);
  // It has lost all that it knew.
  void crash(const std::string& service);
  // Nothing reaches it.
  void set_down(const std::string& service, bool down);
  // No more of what goes wrong by itself.
  void set_faulty(bool faulty);

 private:
  class Link;
  enum class Fate { Fine, Unreachable, RequestLost, AnswerLost, TooSlow, Overloaded, Broken };
  struct Work {
    MonotonicTime due;
    Json result;
    bool is_stopped = false;
  };
  // What is to be told once the lock is released.
  struct Deed {
    kube::HttpResponse response;
    bool took = false;
    bool succeeded = false;
  };

  Duration travel_time();
  Fate fate_of(const std::string& service);
  kube::HttpResponse serve(const std::string& service, const kube::HttpRequest& request);
  Deed take(const std::string& service, const std::string& key) REQUIRES(mutex_);
  Deed look(const std::string& service, const std::string& key) REQUIRES(mutex_);
  Json roll_result(const std::string& service, const std::string& key) REQUIRES(mutex_);

  Clock& clock_;
  const Duration latency_;
  ServiceListener& listener_;
  Mutex mutex_;
  Dice dice_ GUARDED_BY(mutex_);
  std::map<std::string, std::map<std::string, Work>> work_ GUARDED_BY(mutex_);  // by service and key
  std::set<std::string> down_ GUARDED_BY(mutex_);
  bool faulty_ GUARDED_BY(mutex_) = true;
};

}  // namespace convoke::simulation
