#include "tests/simulation/leader_fence.h"

#include <algorithm>

namespace convoke::simulation {
namespace {

constexpr char kSignature[] = "convoke-operator/";
constexpr char kLeaderLease[] = "convoke-operator";

}  // namespace

Status LeaderFence::review(const fakes::WriteReview& review) {
  const std::string& signer = review.field_manager;
  if (signer.starts_with(kSignature) && review.operation != "DELETE" &&
      std::stoll(signer.substr(sizeof(kSignature) - 1)) < transitions_) {
    return Error{ErrorCode::Forbidden, "this write is of a former leader (" + signer + ")"};
  }
  const bool is_leadership = review.after.value("kind", "") == "Lease" &&
                             review.after.value("/metadata/name"_json_pointer, "") == kLeaderLease;
  if (is_leadership) {
    transitions_ =
        std::max(transitions_, review.after.value("/spec/leaseTransitions"_json_pointer, std::int64_t{0}));
  }
  return {};
}

}  // namespace convoke::simulation
