// When each agent was last seen alive: the observed-time rule. What counts is when the operator saw an
// agent's Lease change, on its own monotonic clock; renewTime is compared with itself only, never with a
// clock.
//
// A Lease that is seen for the first time counts from that moment. A Lease that is deleted renews nothing any
// more; what was seen of it stays until its agent is forgotten. Standbys feed their monitor too, so that a
// new leader knows at once who is silent.
//
// Thread safety: all methods from every thread; one mutex. Ownership: the clock outlives it. Errors: none; a
// Lease that is not an agent's heartbeat (label and name must agree) is ignored.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "controller/kube/lease.h"

namespace convoke::agent {

struct Heartbeat {
  std::string renew_time;
  std::string holder;
  MonotonicTime seen_at;
  bool changed = false;  // seen to change, not just seen
};

class HeartbeatMonitor {
 public:
  explicit HeartbeatMonitor(Clock& clock);

  // The agent whose heartbeat this Lease is, if it is one.
  static std::optional<kube::ObjectKey> agent_of(const kube::Lease& lease);

  // True if it says more than "still alive": the first sight of an agent, or another holder.
  bool observe(const kube::Lease& lease);
  // The agent is expected to beat and there is no Lease: its silence counts from the first time that this is
  // said.
  void expect(const kube::ObjectKey& agent);
  // The API could not be asked, so silence proves nothing: it counts from now.
  void excuse(const kube::ObjectKey& agent);
  void forget(const kube::ObjectKey& agent);

  // None while nothing is known of the agent.
  std::optional<Heartbeat> last(const kube::ObjectKey& agent) const;
  // How long the agent has been silent.
  Duration age(const Heartbeat& heartbeat) const;

 private:
  Clock& clock_;
  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Heartbeat> beats_ GUARDED_BY(mutex_);
};

}  // namespace convoke::agent
