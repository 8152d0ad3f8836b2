#include "reconcilers/agent/heartbeat_monitor.h"

#include "reconcilers/api/agent.h"

namespace convoke::agent {

HeartbeatMonitor::HeartbeatMonitor(Clock& clock) : clock_(clock) {}

std::optional<kube::ObjectKey> HeartbeatMonitor::agent_of(const kube::Lease& lease) {
  const std::string& name = lease.meta.label(api::label::kAgent);
  if (name.empty() || lease.meta.name != api::heartbeat_lease_name(name)) {
    return {};
  }
  return kube::ObjectKey{lease.meta.namespace_, name};
}

bool HeartbeatMonitor::observe(const kube::Lease& lease) {
  const auto agent = agent_of(lease);
  if (!agent || lease.renew_time.empty()) {
    return false;
  }
  const MonotonicTime now = clock_.monotonic_now();
  const MutexLock lock(mutex_);
  const auto [known, is_first] =
      beats_.try_emplace(*agent, Heartbeat{lease.renew_time, lease.holder_identity, now});
  Heartbeat& beat = known->second;
  if (is_first) {
    return true;
  }
  const bool other_holder = beat.holder != lease.holder_identity;
  if (other_holder || beat.renew_time != lease.renew_time) {
    beat = {lease.renew_time, lease.holder_identity, now, true};
  }
  return other_holder;
}

void HeartbeatMonitor::expect(const kube::ObjectKey& agent) {
  const MonotonicTime now = clock_.monotonic_now();
  const MutexLock lock(mutex_);
  beats_.try_emplace(agent, Heartbeat{"", "", now});
}

void HeartbeatMonitor::excuse(const kube::ObjectKey& agent) {
  const MonotonicTime now = clock_.monotonic_now();
  const MutexLock lock(mutex_);
  const auto known = beats_.find(agent);
  if (known != beats_.end()) {
    known->second.seen_at = now;
  }
}

void HeartbeatMonitor::forget(const kube::ObjectKey& agent) {
  const MutexLock lock(mutex_);
  beats_.erase(agent);
}

std::optional<Heartbeat> HeartbeatMonitor::last(const kube::ObjectKey& agent) const {
  const MutexLock lock(mutex_);
  const auto known = beats_.find(agent);
  return known == beats_.end() ? std::nullopt : std::optional(known->second);
}

Duration HeartbeatMonitor::age(const Heartbeat& heartbeat) const {
  return clock_.monotonic_now() - heartbeat.seen_at;
}

}  // namespace convoke::agent
