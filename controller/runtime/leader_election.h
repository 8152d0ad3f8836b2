// One leader among several operators, by a Lease; the algorithm of client-go's leaderelection: a candidate
// takes the Lease when it has *observed* it unchanged for the lease duration on its own monotonic clock; the
// leader renews every retry period and gives up when it could not renew for the renew deadline.
//
// A candidate asks for the Lease every retry period. Who watches it and hands on what it sees (lease_seen)
// makes a candidate take a released Lease at once, and one that ran out as soon as it did.
//
// As kube::WriteGuard it refuses every write of the leader's client once the lease may have run out by our
// own clock, so that a leader that was frozen stops writing before it even notices.
//
// Thread safety: all methods from every thread, but start and stop once, and never from a callback. Callbacks
// run on the election's own thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/kube/lease.h"

namespace prometheus {
class Registry;
}

namespace convoke::runtime {

struct LeaderElectionOptions {
  kube::ObjectKey lease;  // namespace and name
  std::string identity;   // unique for each process
  Duration lease_duration = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry_period = std::chrono::seconds(2);
  double jitter = 1.2;  // candidates wait retry_period * (1 + jitter * random)

  // The deadline to give the elector's client, so that one slow request cannot use up the time to renew.
  Duration request_deadline() const { return renew_deadline / 2; }
};

class LeaderElector final : public kube::WriteGuard {
 public:
  struct Callbacks {
    std::function<void()> on_started_leading;
    std::function<void()> on_stopped_leading;  // leadership was lost (not: released); the process should end
    std::function<void(const std::string& identity)> on_new_leader;
  };

  // `client` must not have this elector as its guard; its deadline is at most options.request_deadline().
  LeaderElector(kube::Client& client, Clock& clock, Random& random, const Logger& log,
                prometheus::Registry& registry, LeaderElectionOptions options, Callbacks callbacks);
  ~LeaderElector() override;

  void start();
  // Ends the election and with it the permission to write. `release` gives the Lease up at once (only after
  // the workers ended); without it others wait until it runs out.
  void stop(bool release);
  // The Lease as a watch delivered it.
  void lease_seen(const kube::Lease& lease);
  bool is_leader() const;
  std::string leader() const;  // the holder last observed
  // Cancelled unless this process leads and its lease cannot have run out yet.
  Status may_write() override;
  // "/" and leaseTransitions as they were when this process began to lead: each leader's number is greater
  // than those before, so that an admission policy can refuse what a former leader sent. Empty if it does not
  // lead.
  std::string signature() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
