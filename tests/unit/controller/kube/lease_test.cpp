#include "controller/kube/lease.h"

#include <gtest/gtest.h>

namespace convoke::kube {
namespace {

TEST(Lease, ABrokenOneReadsAsNobodys) {
  const auto lease =
      Lease::from_json(Json::parse(R"({"metadata":{"name":"a"},"spec":{"holderIdentity":7}})"));
  EXPECT_EQ(lease.meta.name, "a");
  EXPECT_EQ(lease.holder_identity, "");
  EXPECT_EQ(Lease::from_json(Json::parse(R"({"spec":[]})")).lease_transitions, 0);
}

TEST(Lease, AFreeOneHasNoHolder) {
  const Lease lease;
  EXPECT_FALSE(lease.to_json().at("spec").contains("holderIdentity"));
  EXPECT_FALSE(lease.to_json().at("spec").contains("leaseDurationSeconds"));
}

TEST(Lease, SurvivesTheWayThereAndBack) {
  const Json object = Json::parse(R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease",
      "metadata":{"name":"a","namespace":"ns","resourceVersion":"3"},"spec":{"holderIdentity":"me",
      "leaseDurationSeconds":15,"leaseTransitions":2,"acquireTime":"2026-01-01T00:00:00.000000Z",
      "renewTime":"2026-01-01T00:00:01.000000Z"}})");
  EXPECT_EQ(Lease::from_json(object).to_json(), object);
}

}  // namespace
}  // namespace convoke::kube
