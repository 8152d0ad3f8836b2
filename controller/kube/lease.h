// coordination.k8s.io/v1 Lease as a value: leadership, heartbeats and locks are all Leases.
#pragma once

#include <cstdint>
#include <string>

#include "controller/base/clock.h"
#include "controller/kube/object.h"

namespace convoke::kube {

inline const ResourceType kLease{"coordination.k8s.io", "v1", "leases", "Lease", true};

struct Lease {
  ObjectMeta meta;
  std::string holder_identity;
  std::int64_t lease_duration_seconds = 0;
  std::int64_t lease_transitions = 0;
  std::string acquire_time;  // MicroTime as written; informative only
  std::string renew_time;    // MicroTime as written; compared for change, never with a clock

  static Lease from_json(const Json& object);
  Json to_json() const;
};

}  // namespace convoke::kube
