#include "controller/kube/credentials.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/kube/temp_directory.h"
#include "tests/unit/controller/kube/test_certificates.h"

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() {
    config.server = "https://10.0.0.1:6443";
    config.source = "kubeconfig x";
    config.certificate_authority.data = authority.certificate_pem;
  }

  void use_plugin() {
    config.exec = ExecPlugin{"client.authentication.k8s.io/v1", "plugin", {}, {}, "", false};
  }
  // Gives "token-1", "token-2" ... that live for `lifetime` each.
  PluginRunner plugin(Duration lifetime) {
    return [this, lifetime](const ExecPlugin&, const std::string&) -> Result<std::string> {
      ++plugin_runs;
      if (plugin_fails) return {ErrorCode::Unauthorized, "please log in"};
      const Json status = {{"token", "token-" + std::to_string(plugin_runs)},
                           {"expirationTimestamp", format_time(clock.wall_now() + lifetime)}};
      return dump_json({{"kind", "ExecCredential"},
                        {"apiVersion", "client.authentication.k8s.io/v1"},
                        {"status", status}});
    };
  }
  std::unique_ptr<Credentials> make(PluginRunner runner = nullptr) {
    auto made = Credentials::make(config, clock, Logger(), std::move(runner));
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(*made) : nullptr;
  }
  std::string error_of_make() {
    const auto made = Credentials::make(config, clock, Logger(), nullptr);
    return made ? "no error" : made.error().message;
  }

  fakes::FakeClock clock;
  const TestCertificate authority = make_test_certificate("authority");
  TempDirectory directory;
  ClusterConfig config;
  int plugin_runs = 0;
  bool plugin_fails = false;
};

TEST_F(CredentialsTest, WhatCannotBeReadAtTheStartIsAnErrorThatNamesIt) {
  config.certificate_authority.data = "not pem";
  EXPECT_THAT(error_of_make(), HasSubstr("kubeconfig x: the certificate authority holds no PEM certificate"));
  config.certificate_authority = {"", "/nowhere/ca"};
  EXPECT_THAT(error_of_make(), HasSubstr("certificate authority: file /nowhere/ca cannot be read"));
  config.certificate_authority = {authority.certificate_pem, ""};
  config.token_file = directory.write("token", "");
  EXPECT_THAT(error_of_make(), HasSubstr("is empty"));
  config.token_file = directory.write("token", "a\r\nX-Evil: b");
  EXPECT_THAT(error_of_make(), HasSubstr("line breaks"));
}

TEST_F(CredentialsTest, AClientKeyOfAnotherCertificateIsRefused) {
  config.client_certificate.data = authority.certificate_pem;
  config.client_key.data = make_test_certificate("other").key_pem;
  EXPECT_THAT(error_of_make(), HasSubstr("does not belong"));
  config.client_key.data = "junk";
  EXPECT_THAT(error_of_make(), HasSubstr("not an unencrypted PEM private key"));
}

TEST_F(CredentialsTest, WithoutAnyThereIsNoHeader) {
  EXPECT_EQ((*make()->current())->authorization, "");
}

TEST_F(CredentialsTest, UserNameAndPasswordBecomeBasicAuthentication) {
  config.username = "user";
  config.password = "pass";
  EXPECT_EQ((*make()->current())->authorization, "Basic dXNlcjpwYXNz");
}

TEST_F(CredentialsTest, ATokenFileIsReadOnceAMinute) {
  config.token_file = directory.write("token", "one\n");
  const auto credentials = make();
  directory.write("token", "two\n");
  clock.advance(59s);
  EXPECT_EQ((*credentials->current())->authorization, "Bearer one");
  clock.advance(1s);
  EXPECT_EQ((*credentials->current())->authorization, "Bearer two");
}

TEST_F(CredentialsTest, ATokenFileThatVanishesLeavesTheLastTokenInUse) {
  config.token_file = directory.write("token", "one");
  const auto credentials = make();
  std::filesystem::remove(config.token_file);
  clock.advance(2min);
  EXPECT_EQ((*credentials->current())->authorization, "Bearer one");
  directory.write("token", "two");
  clock.advance(10s);
  EXPECT_EQ((*credentials->current())->authorization, "Bearer two");
}

TEST_F(CredentialsTest, ARefusalReadsTheTokenFileAtOnce) {
  config.token_file = directory.write("token", "one");
  const auto credentials = make();
  const auto refused = *credentials->current();
  EXPECT_EQ(*credentials->after_refusal(refused), refused);
  directory.write("token", "two");
  const auto renewed = *credentials->after_refusal(refused);
  EXPECT_EQ(renewed->authorization, "Bearer two");
  EXPECT_EQ(*credentials->after_refusal(refused), renewed);
}

TEST_F(CredentialsTest, CertificateFilesThatChangeMakeANewSnapshotAndOthersDoNot) {
  config.certificate_authority = {"", directory.write("ca.pem", authority.certificate_pem)};
  config.token_file = directory.write("token", "one");
  const auto credentials = make();
  const auto first = *credentials->current();
  directory.write("token", "two");
  clock.advance(1min);
  const auto second = *credentials->current();
  EXPECT_NE(second, first);
  EXPECT_EQ(second->tls, first->tls);
  directory.write("ca.pem", make_test_certificate("another").certificate_pem);
  clock.advance(1min);
  EXPECT_NE((*credentials->current())->tls, first->tls);
}

TEST_F(CredentialsTest, AHalfWrittenCertificateLeavesTheLastOneInUse) {
  config.certificate_authority = {"", directory.write("ca.pem", authority.certificate_pem)};
  const auto credentials = make();
  const auto first = *credentials->current();
  directory.write("ca.pem", authority.certificate_pem.substr(0, 40));
  clock.advance(1min);
  EXPECT_EQ((*credentials->current())->tls, first->tls);
}

TEST_F(CredentialsTest, APluginThatFailsIsNotRunForEachRequest) {
  use_plugin();
  plugin_fails = true;
  const auto credentials = make(plugin(1h));
  for (int i = 0; i < 5; ++i) {
    const auto identity = credentials->current();
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, ErrorCode::Unauthorized);
    EXPECT_THAT(identity.error().message, HasSubstr("please log in"));
  }
  EXPECT_EQ(plugin_runs, 1);
  plugin_fails = false;
  clock.advance(10s);
  EXPECT_EQ((*credentials->current())->authorization, "Bearer token-2");
}

TEST_F(CredentialsTest, APluginRunsAgainShortlyBeforeItsCredentialExpires) {
  use_plugin();
  const auto credentials = make(plugin(1h));
  EXPECT_EQ((*credentials->current())->authorization, "Bearer token-1");
  clock.advance(59min);
  EXPECT_EQ((*credentials->current())->authorization, "Bearer token-1");
  clock.advance(55s);
  EXPECT_EQ((*credentials->current())->authorization, "Bearer token-2");
  EXPECT_EQ(plugin_runs, 2);
}

TEST_F(CredentialsTest, RefusalsRunThePluginAgainButNotWithoutEnd) {
  use_plugin();
  const auto credentials = make(plugin(1h));
  const auto first = *credentials->current();
  EXPECT_EQ(*credentials->after_refusal(first), first);
  clock.advance(10s);
  const auto second = *credentials->after_refusal(first);
  EXPECT_EQ(second->authorization, "Bearer token-2");
  EXPECT_EQ(*credentials->after_refusal(second), second);
  EXPECT_EQ(plugin_runs, 2);
}

TEST_F(CredentialsTest, ThreadsThatNeedAPluginWaitForOneRun) {
  use_plugin();
  const auto slow_plugin = [this](const ExecPlugin& which, const std::string& info) {
    StopSignal never(clock);
    never.sleep_for(2s);
    return plugin(1h)(which, info);
  };
  const auto credentials = make(slow_plugin);
  int served = 0;
  std::vector<std::unique_ptr<Thread>> threads;
  for (int i = 0; i < 10; ++i) {
    threads.push_back(clock.start_thread("caller", [&] {
      if ((*credentials->current())->authorization == "Bearer token-1") ++served;
    }));
  }
  clock.advance(3s);
  for (const auto& thread : threads) thread->join();
  EXPECT_EQ(served, 10);
  EXPECT_EQ(plugin_runs, 1);
}

}  // namespace
}  // namespace convoke::kube
