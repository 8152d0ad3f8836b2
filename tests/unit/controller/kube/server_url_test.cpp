#include "controller/kube/server_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::kube {
namespace {

using testing::HasSubstr;

TEST(ServerUrl, AMessageQuotesTheAddressAndShowsARightOne) {
  for (const char* text :
       {"", "127.0.0.1:6443", "ftp://x", "https://", "https://:6443", "https://x:0", "https://x:a",
        "https://x:65536", "https://[fd00::1", "https://[zz]:1", "https://[::1]x", "https://u@x",
        "https://x/?q", "https://x:", "https://fd00::1"}) {
    const auto url = parse_server_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error().message, HasSubstr("server address \"" + std::string(text) + "\""));
    EXPECT_THAT(url.error().message, HasSubstr("https://127.0.0.1:6443"));
  }
}

TEST(ServerUrl, ReadsHostPortAndPrefix) {
  const auto url = parse_server_url("https://api.example.org:6443/clusters/a/");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->https);
  EXPECT_EQ(url->host, "api.example.org");
  EXPECT_EQ(url->port, 6443);
  EXPECT_EQ(url->path_prefix, "/clusters/a");
  EXPECT_FALSE(url->is_ip());
  EXPECT_EQ(parse_server_url("https://x")->port, 443);
  EXPECT_EQ(parse_server_url("http://x")->port, 80);
}

TEST(ServerUrl, AnIpv6AddressLosesItsBracketsAndGetsThemBackInItsAuthority) {
  const auto url = parse_server_url("https://[fd00::1]:443");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "fd00::1");
  EXPECT_TRUE(url->is_ipv6() && url->is_ip());
  EXPECT_EQ(url->authority(), "[fd00::1]:443");
}

TEST(ServerUrl, KnowsLoopback) {
  for (const char* text :
       {"http://127.0.0.1", "http://127.8.9.1:80", "http://localhost", "http://[::1]:8080"}) {
    EXPECT_TRUE(parse_server_url(text)->is_loopback()) << text;
  }
  for (const char* text : {"http://10.0.0.1", "http://127.evil.example.org", "http://[fd00::1]"}) {
    EXPECT_FALSE(parse_server_url(text)->is_loopback()) << text;
  }
}

}  // namespace
}  // namespace convoke::kube
