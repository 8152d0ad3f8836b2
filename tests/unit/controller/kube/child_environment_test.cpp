#include "controller/kube/child_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace convoke::kube {
namespace {

using testing::Contains;
using testing::Not;
using testing::StartsWith;

TEST(ChildEnvironment, ChildrenDoNotInheritTheEmptyCaBundle) {
  setenv("SSL_CERT_FILE", "/etc/my-own.pem", 1);
  skip_system_ca_bundle();
  skip_system_ca_bundle();
  EXPECT_STREQ(getenv("SSL_CERT_FILE"), "/dev/null");
  EXPECT_EQ(system_ca_bundle(), "/etc/my-own.pem");
  EXPECT_THAT(environment_for_children(), Contains("SSL_CERT_FILE=/etc/my-own.pem"));
  EXPECT_THAT(environment_for_children(), Not(Contains("SSL_CERT_FILE=/dev/null")));
  EXPECT_THAT(environment_for_children(), Contains(StartsWith("PATH=")));
}

}  // namespace
}  // namespace convoke::kube
