#include "controller/kube/exec_plugin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/unit/controller/kube/temp_directory.h"

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kVersion = "client.authentication.k8s.io/v1";

ExecPlugin shell(const std::string& script) {
  return {kVersion, "sh", {"-c", script}, {}, "", false};
}

Result<std::string> run(const ExecPlugin& plugin, Duration timeout = 20s) {
  SystemClock clock;
  return make_plugin_runner(clock, timeout)(plugin, "{}");
}

TEST(ExecPlugin, AMissingCommandIsNamedWithTheHintHowToGetIt) {
  ExecPlugin plugin = shell("");
  plugin.command = "no-such-plugin";
  plugin.install_hint = "Install it with make.";
  const auto output = run(plugin);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::Unauthorized);
  EXPECT_THAT(output.error().message,
              AllOf(HasSubstr("\"no-such-plugin\" cannot be started: No such file"), HasSubstr("with make")));
}

TEST(ExecPlugin, AFailureShowsTheEndOfItsStandardError) {
  const auto output = run(shell("echo please log in >&2; exit 3"));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::Unauthorized);
  EXPECT_EQ(output.error().message, "credential plugin \"sh\" failed with exit status 3: please log in");
  EXPECT_THAT(run(shell("kill -9 $$")).error().message, HasSubstr("was ended by signal 9"));
}

TEST(ExecPlugin, APluginThatHangsIsKilledWithItsChildren) {
  const auto output = run(shell("sleep 1000 & sleep 1000"), 50ms);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::Timeout);
}

TEST(ExecPlugin, GetsItsEnvironmentAndNoInput) {
  ExecPlugin plugin = shell("cat; echo $KUBERNETES_EXEC_INFO $EXTRA");
  plugin.env = {{"EXTRA", "more"}};
  const auto output = run(plugin);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(*output, "{} more\n");
}

TEST(ExecPlugin, LargeOutputDoesNotBlockIt) {
  const auto output = run(shell("head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2"));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->size(), 300'000U);
}

TEST(ExecInfo, TellsOfTheClusterOnlyIfAskedTo) {
  ExecPlugin plugin = shell("");
  ClusterConfig config;
  config.server = "https://x";
  EXPECT_EQ(*parse_json(exec_info_for(plugin, config, "pem")),
            Json::parse(R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
                            "spec":{"interactive":false}})"));
  plugin.provide_cluster_info = true;
  const auto info = parse_json(exec_info_for(plugin, config, "pem"));
  EXPECT_EQ(info->at("spec").at("cluster"),
            Json::parse(R"({"server":"https://x","certificate-authority-data":"cGVt"})"));
}

TEST(ExecCredential, WhatIsWrongWithItIsSaid) {
  const auto error_of = [](const std::string& output) {
    const auto credential = parse_exec_credential(shell(""), output);
    return credential ? "no error" : credential.error().message;
  };
  const std::string head = R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1")";
  EXPECT_THAT(error_of("token"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(error_of("{}"), HasSubstr("is not an ExecCredential"));
  EXPECT_THAT(error_of(R"({"kind":"ExecCredential","apiVersion":"v0"})"),
              HasSubstr("apiVersion v0 instead of"));
  EXPECT_THAT(error_of(head + "}"), HasSubstr("has no status"));
  EXPECT_THAT(error_of(head + R"(,"status":{}})"), HasSubstr("neither a token nor"));
  EXPECT_THAT(error_of(head + R"(,"status":{"clientKeyData":"k"}})"), HasSubstr("together"));
  EXPECT_THAT(error_of(head + R"(,"status":{"token":"t","expirationTimestamp":"soon"}})"), HasSubstr("soon"));
}

TEST(ExecCredential, ReadsTokenCertificateAndExpiry) {
  const auto credential = parse_exec_credential(
      shell(""),
      R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t",
      "clientCertificateData":"c","clientKeyData":"k","expirationTimestamp":"1970-01-01T00:01:00Z"}})");
  ASSERT_TRUE(credential) << credential.error().message;
  EXPECT_EQ(credential->token, "t");
  EXPECT_EQ(credential->client_certificate, "c");
  EXPECT_EQ(credential->client_key, "k");
  EXPECT_EQ(credential->expires, WallTime(60s));
}

}  // namespace
}  // namespace convoke::kube
