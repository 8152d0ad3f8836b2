#include "reconcilers/api/audit_log.h"

#include <gtest/gtest.h>

namespace convoke::api {
namespace {

Json owned(const Json& entries) {
  return {{"metadata", {{"managedFields", entries}}}};
}

Json entry(const std::string& manager, const std::string& time, const Json& spec) {
  return {{"manager", manager}, {"time", time}, {"fieldsV1", {{"f:spec", spec}}}};
}

TEST(ManagerOf, IsUnknownWhereNobodyOwnsTheField) {
  EXPECT_EQ(manager_of(Json("no object"), "cancel"), "");
  EXPECT_EQ(manager_of(Json::object(), "cancel"), "");
  EXPECT_EQ(manager_of(owned("no list"), "cancel"), "");
  EXPECT_EQ(
      manager_of(owned(Json::array({"no entry", {{"fieldsV1", {{"f:status", Json::object()}}}}})), "cancel"),
      "");
  EXPECT_EQ(
      manager_of(owned(Json::array({entry("kubectl", "2026-01-01T00:00:00Z", {{"f:type", Json::object()}})})),
                 "cancel"),
      "");
}

TEST(ManagerOf, IsTheOneWhoWroteTheFieldLast) {
  const Json object =
      owned(Json::array({entry("flux", "2026-01-01T00:00:00Z", {{"f:cancel", Json::object()}}),
                         entry("kubectl-patch", "2026-01-02T00:00:00Z", {{"f:cancel", Json::object()}}),
                         entry("late", "2026-01-03T00:00:00Z", {{"f:type", Json::object()}})}));
  EXPECT_EQ(manager_of(object, "cancel"), "kubectl-patch");
  EXPECT_EQ(manager_of(object, ""), "late");
}

TEST(CausedBySpec, IsTheOperatorWhereItWroteTheFieldItself) {
  const Json by_run =
      owned(Json::array({entry("convoke-operator", "2026-01-01T00:00:00Z", {{"f:cancel", Json::object()}})}));
  EXPECT_EQ(caused_by_spec(by_run, "cancel"), AuditCause{});
  EXPECT_EQ(caused_by_spec(Json::object(), "cancel"), (AuditCause{AuditCause::Kind::User, ""}));
}

}  // namespace
}  // namespace convoke::api
