#include "controller/kube/lease.h"

#include "controller/kube/json_fields.h"

namespace convoke::kube {
Lease Lease::from_json(const Json& object) {
  Lease lease;
  lease.meta = meta_from_json(object);
  const auto spec = object.find("spec");
  if (spec == object.end() || !spec->is_object()) return lease;
  lease.holder_identity = string_at(*spec, "holderIdentity");
  lease.lease_duration_seconds = number_at(*spec, "leaseDurationSeconds");
  lease.lease_transitions = number_at(*spec, "leaseTransitions");
  lease.acquire_time = string_at(*spec, "acquireTime");
  lease.renew_time = string_at(*spec, "renewTime");
  return lease;
}

Json Lease::to_json() const {
  Json spec = {{"leaseTransitions", lease_transitions}};
  // Absent means "nobody" and "not said": the API refuses a duration of 0.
  if (!holder_identity.empty()) spec["holderIdentity"] = holder_identity;
  if (lease_duration_seconds > 0) spec["leaseDurationSeconds"] = lease_duration_seconds;
  if (!acquire_time.empty()) spec["acquireTime"] = acquire_time;
  if (!renew_time.empty()) spec["renewTime"] = renew_time;
  return {{"apiVersion", kLease.api_version()},
          {"kind", kLease.kind},
          {"metadata", meta_to_json(meta)},
          {"spec", std::move(spec)}};
}

}  // namespace convoke::kube
