#include "controller/kube/beast_http_client.h"

#include <gtest/gtest.h>

namespace convoke::kube {
namespace {

TEST(AddressObjection, ToAddressesThatNoAgentMayHave) {
  for (const char* bad : {"169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0",
                          "0.1.2.3", "::", "224.0.0.1", "ff02::1", "not an address"}) {
    EXPECT_NE(address_objection(bad, true), "") << bad;
  }
  for (const char* good : {"10.0.0.7", "192.168.1.1", "8.8.8.8", "fd00::1", "2001:db8::1"}) {
    EXPECT_EQ(address_objection(good, false), "") << good;
  }
  for (const char* loopback : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_NE(address_objection(loopback, false), "") << loopback;
    EXPECT_EQ(address_objection(loopback, true), "") << loopback;
  }
}

TEST(BeastHttpClient, SaysWhenNothingWasSent) {
  SystemClock clock;
  const auto client = make_beast_http_client(clock, {.allow_loopback = true});
  HttpCancel cancel;
  const auto refused = client->send({{false, "127.0.0.1", 1, ""}, ""}, {"GET", "/"}, cancel);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, kNotConnected);
  EXPECT_NE(refused.error().message.find("refused"), std::string::npos) << refused.error().message;
  cancel.cancel();
  const auto cancelled = client->send({{false, "127.0.0.1", 1, ""}, ""}, {"GET", "/"}, cancel);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, ErrorCode::Cancelled);
}

}  // namespace
}  // namespace convoke::kube
