#include "controller/kube/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/unit/controller/kube/temp_directory.h"

namespace convoke::kube {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Sets an environment variable for the length of a test.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = getenv(name)) old_ = old;
    setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (old_.empty()) {
      unsetenv(name_);
    } else {
      setenv(name_, old_.c_str(), 1);
    }
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::string old_;
};

std::string kubeconfig(const std::string& cluster, const std::string& user) {
  return "current-context: dev\n"
         "contexts: [{name: dev, context: {cluster: c, user: u, namespace: team}}, {name: bare, context: "
         "{cluster: c}}]\n"
         "clusters: [{name: c, cluster: {" +
         cluster + "}}]\nusers: [{name: u, user: {" + user + "}}]\n";
}

constexpr const char* kServer = "server: \"https://10.0.0.1:6443\"";

std::string error_of(const std::string& text, const ConfigOptions& options = {}) {
  const auto config = parse_kubeconfig(text, "/dir", options);
  if (config) return "no error";
  EXPECT_EQ(config.error().code, ErrorCode::Invalid);
  return config.error().message;
}

TEST(Kubeconfig, BrokenYamlSaysWhere) {
  EXPECT_THAT(error_of("a: [1"), AllOf(HasSubstr("kubeconfig"), HasSubstr("line")));
  EXPECT_THAT(error_of("just text"), HasSubstr("is not a kubeconfig"));
  EXPECT_THAT(error_of("clusters: 7"), HasSubstr("clusters must be a list"));
  EXPECT_THAT(error_of("users: [{user: {}}]"), HasSubstr("an entry of users has no name"));
  EXPECT_THAT(error_of(""), HasSubstr("current-context is not set"));
}

TEST(Kubeconfig, AWrongContextNamesThoseThatExist) {
  EXPECT_THAT(error_of(kubeconfig(kServer, ""), {"", "prod", false}),
              AllOf(HasSubstr("\"prod\""), HasSubstr("there are: bare, dev")));
  EXPECT_THAT(error_of("current-context: a\ncontexts: [{name: a, context: {cluster: x}}]"),
              AllOf(HasSubstr("context \"a\" in kubeconfig"), HasSubstr("cluster \"x\""), HasSubstr("none")));
}

TEST(Kubeconfig, WrongFieldsAreNamedWithTheirEntry) {
  EXPECT_THAT(error_of(kubeconfig("", "")), HasSubstr("cluster \"c\" in kubeconfig: server is missing"));
  EXPECT_THAT(error_of(kubeconfig("server: [a]", "")), HasSubstr("server must be a string"));
  EXPECT_THAT(error_of(kubeconfig("server: nowhere", "")), HasSubstr("server address \"nowhere\""));
  EXPECT_THAT(error_of(kubeconfig(kServer, "client-key: k")), HasSubstr("must be given together"));
  EXPECT_THAT(error_of(kubeconfig(kServer, "client-key-data: '%%'")),
              HasSubstr("user \"u\" in kubeconfig: client-key-data is not base64"));
  EXPECT_THAT(error_of(kubeconfig(std::string(kServer) + ", insecure-skip-tls-verify: maybe", "")),
              HasSubstr("must be true or false"));
}

TEST(Kubeconfig, WhatIsNotSupportedIsRefusedByName) {
  EXPECT_THAT(error_of(kubeconfig(std::string(kServer) + ", proxy-url: \"http://p\"", "")),
              HasSubstr("proxy-url"));
  EXPECT_THAT(error_of(kubeconfig(kServer, "auth-provider: {name: gcp}")),
              AllOf(HasSubstr("auth-provider"), HasSubstr("exec plugin")));
  EXPECT_THAT(error_of(kubeconfig(kServer, "as: someone")), HasSubstr("user \"u\" in kubeconfig: as "));
  EXPECT_THAT(
      error_of(kubeconfig(kServer, "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: c}")),
      HasSubstr("exec.apiVersion"));
  EXPECT_THAT(error_of(kubeconfig(kServer, "exec: {apiVersion: client.authentication.k8s.io/v1}")),
              HasSubstr("exec.command is missing"));
  EXPECT_THAT(error_of(kubeconfig(kServer,
                                  "exec: {apiVersion: client.authentication.k8s.io/v1, command: c, "
                                  "interactiveMode: Always}")),
              HasSubstr("interactiveMode"));
}

TEST(Kubeconfig, UnprotectedConnectionsAreRefusedUnlessAskedFor) {
  const auto insecure = kubeconfig(std::string(kServer) + ", insecure-skip-tls-verify: true", "");
  EXPECT_THAT(error_of(insecure), HasSubstr("insecure-skip-tls-verify"));
  EXPECT_TRUE(parse_kubeconfig(insecure, "", {"", "", true})->insecure_skip_tls_verify);
  const auto plain = kubeconfig("server: \"http://10.0.0.1\"", "");
  EXPECT_THAT(error_of(plain), HasSubstr("is not encrypted"));
  EXPECT_TRUE(parse_kubeconfig(plain, "", {"", "", true}));
  EXPECT_TRUE(parse_kubeconfig(kubeconfig("server: \"http://127.0.0.1:8080\"", ""), "", {}));
}

TEST(Kubeconfig, ReadsClusterUserAndNamespace) {
  const auto config = parse_kubeconfig(
      kubeconfig(
          std::string(kServer) + ", certificate-authority: ca.pem, tls-server-name: api",
          "client-certificate-data: Y2VydA==, client-key: ../key.pem, tokenFile: /abs/token, username: me, "
          "password: \"12\""),
      "/dir/sub", {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://10.0.0.1:6443");
  EXPECT_EQ(config->certificate_authority.file, "/dir/sub/ca.pem");
  EXPECT_EQ(config->tls_server_name, "api");
  EXPECT_EQ(config->client_certificate.data, "cert");
  EXPECT_EQ(config->client_key.file, "/dir/key.pem");
  EXPECT_EQ(config->token_file, "/abs/token");
  EXPECT_EQ(config->username, "me");
  EXPECT_EQ(config->password, "12");
  EXPECT_EQ(config->default_namespace, "team");
  EXPECT_EQ(config->source, "kubeconfig, context dev");
  EXPECT_EQ(server_host(*config), "10.0.0.1:6443");
}

TEST(Kubeconfig, AContextMayHaveNoUser) {
  const auto config = parse_kubeconfig(kubeconfig(kServer, "token: t"), "", {"", "bare", false});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->token, "");
  EXPECT_EQ(config->default_namespace, "default");
}

TEST(Kubeconfig, ReadsAnExecPlugin) {
  const auto config = parse_kubeconfig(
      kubeconfig(kServer,
                 "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin, args: [a, 1], "
                 "env: [{name: N, value: v}], installHint: get it, provideClusterInfo: true}"),
      "/dir", {});
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_TRUE(config->exec);
  EXPECT_EQ(config->exec->command, "/dir/plugin");
  EXPECT_EQ(config->exec->args, (std::vector<std::string>{"a", "1"}));
  EXPECT_EQ(config->exec->env.at("N"), "v");
  EXPECT_EQ(config->exec->install_hint, "get it");
  EXPECT_TRUE(config->exec->provide_cluster_info);
}

TEST(LoadConfig, AFileThatCannotBeReadIsNamed) {
  EXPECT_THAT(load_config({"/nowhere/config", "", false}).error().message, HasSubstr("/nowhere/config"));
  const ScopedVariable variable("KUBECONFIG", "/nowhere/a:/nowhere/b");
  EXPECT_THAT(load_config({}).error().message, HasSubstr("none of the files in $KUBECONFIG exists"));
}

TEST(LoadConfig, TheFirstFileThatSetsAValueWins) {
  const TempDirectory directory;
  const auto first =
      directory.write("first",
                      "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
                      "users: [{name: u, user: {tokenFile: t}}]\n");
  const auto second = directory.write("second",
                                      "current-context: b\nclusters: [{name: c, cluster: {server: "
                                      "\"https://x\"}}]\nusers: [{name: u, user: {username: other}}]\n");
  const ScopedVariable variable("KUBECONFIG", "/nowhere:" + first + ":" + second);
  const auto config = load_config({});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://x");
  EXPECT_EQ(config->token_file, directory.path() + "/t");
  EXPECT_EQ(config->username, "");
  EXPECT_THAT(config->source, AllOf(HasSubstr(second), HasSubstr("context a")));
}

TEST(InClusterConfig, SaysWhatIsMissing) {
  const TempDirectory directory;
  EXPECT_THAT(in_cluster_config(directory.path()).error().message, HasSubstr("not inside a Pod"));
  const ScopedVariable host("KUBERNETES_SERVICE_HOST", "10.0.0.1");
  const ScopedVariable port("KUBERNETES_SERVICE_PORT", "443");
  EXPECT_THAT(in_cluster_config(directory.path()).error().message,
              AllOf(HasSubstr("/token does not exist"), HasSubstr("automountServiceAccountToken")));
}

TEST(InClusterConfig, ReadsTheServiceAccountAndPutsIpv6InBrackets) {
  const TempDirectory directory;
  directory.write("token", "t");
  directory.write("ca.crt", "pem");
  directory.write("namespace", "team");
  const ScopedVariable host("KUBERNETES_SERVICE_HOST", "fd00::1");
  const ScopedVariable port("KUBERNETES_SERVICE_PORT", "443");
  const auto config = in_cluster_config(directory.path());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server, "https://[fd00::1]:443");
  EXPECT_EQ(config->token_file, directory.path() + "/token");
  EXPECT_EQ(config->certificate_authority.file, directory.path() + "/ca.crt");
  EXPECT_EQ(config->default_namespace, "team");
}

}  // namespace
}  // namespace convoke::kube
