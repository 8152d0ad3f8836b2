// The HTTP transport and the client against a real API server: $CONVOKE_TEST_KUBECONFIG names an
// administrator of it.
#include <atomic>
#include <cstdlib>
#include <fstream>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <prometheus/registry.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/kube/client_metrics.h"
#include "controller/kube/config.h"
#include "controller/kube/cpprest_transport.h"
#include "controller/kube/object.h"
#include "tests/unit/controller/kube/temp_directory.h"
#include "tests/unit/controller/kube/test_certificates.h"

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

const ResourceType kNamespaces{"", "v1", "namespaces", "Namespace", false};
const ResourceType kConfigMaps{"", "v1", "configmaps", "ConfigMap", true};
const ResourceType kSecrets{"", "v1", "secrets", "Secret", true};
const ResourceType kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount", true};
const ResourceType kDeployments{"apps", "v1", "deployments", "Deployment", true};

SystemClock& system_clock() {
  static SystemClock clock;
  return clock;
}

// A transport and a client over it.
struct Connection {
  explicit Connection(std::unique_ptr<Transport> transport_)
      : transport(std::move(transport_)),
        random(make_system_random()),
        metrics(registry, "test"),
        client(*transport, system_clock(), *random, metrics) {}

  std::unique_ptr<Transport> transport;
  std::unique_ptr<Random> random;
  prometheus::Registry registry;
  ClientMetrics metrics;
  Client client;
};

std::unique_ptr<Connection> connect(const ClusterConfig& config) {
  auto transport = make_cpprest_transport(config, system_clock(), Logger());
  if (!transport) {
    ADD_FAILURE() << transport.error().describe();
    return nullptr;
  }
  return std::make_unique<Connection>(std::move(*transport));
}

Json config_map(const std::string& name, const Json& data = Json::object()) {
  return {{"metadata", {{"name", name}, {"namespace", "default"}}}, {"data", data}};
}

class RealApiServer : public testing::Test {
 protected:
  void SetUp() override {
    const char* kubeconfig = std::getenv("CONVOKE_TEST_KUBECONFIG");
    if (kubeconfig == nullptr) {
      FAIL() << "CONVOKE_TEST_KUBECONFIG must name the kubeconfig of a test cluster: run hack/dev-cluster up";
    }
    auto loaded = load_config({kubeconfig, "", false});
    ASSERT_TRUE(loaded) << loaded.error().describe();
    config = *loaded;
    admin = connect(config);
    ASSERT_NE(admin, nullptr);
    prefix = "transport-" + admin->random->hex(4);
  }

  // The same cluster, without saying who we are.
  ClusterConfig nobody() const {
    ClusterConfig other = config;
    other.client_certificate = {};
    other.client_key = {};
    return other;
  }

  // A token of a new service account that may do nothing.
  std::string new_token() {
    const std::string name = prefix + "-" + admin->random->hex(2);
    const auto account =
        admin->client.create(kServiceAccounts, {{"metadata", {{"name", name}, {"namespace", "default"}}}});
    EXPECT_TRUE(account) << account.error().describe();
    HttpRequest request{"POST", kServiceAccounts.path("default", name, "token")};
    request.body = R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}})";
    request.content_type = "application/json";
    const auto response = admin->transport->send(request);
    EXPECT_TRUE(response && response->status == 201);
    return parse_json(response->body)->at("status").at("token");
  }

  ClusterConfig config;
  std::unique_ptr<Connection> admin;
  std::string prefix;
  TempDirectory directory;
};

// Reads a watch until `count` objects were added; returns their names.
std::vector<std::string> read_added(BodyStream& stream, std::size_t count) {
  std::vector<std::string> names;
  std::string buffer;
  while (names.size() < count) {
    auto part = stream.read();
    if (!part || part->empty()) break;
    buffer += *part;
    for (auto end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
      const auto event = parse_json(buffer.substr(0, end));
      buffer.erase(0, end + 1);
      if (!event) return names;
      if (event->at("type") == "ADDED") names.push_back(meta_from_json(event->at("object")).name);
    }
  }
  return names;
}

TEST_F(RealApiServer, ConnectionRefusedIsUnavailable) {
  const int socket_number = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  // Bound but not listening: nobody else gets the port, and nobody answers on it.
  ASSERT_EQ(bind(socket_number, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(socket_number, reinterpret_cast<sockaddr*>(&address), &size), 0);
  config.server = "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const auto response = connect(config)->transport->send({"GET", "/version"});
  close(socket_number);

  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::Unavailable);
  EXPECT_THAT(response.error().message, AllOf(HasSubstr("127.0.0.1:"), HasSubstr("connection refused")));
}

TEST_F(RealApiServer, AForeignCertificateAuthorityIsRefusedAndTheMessageSaysSo) {
  config.certificate_authority = {make_test_certificate("another-authority").certificate_pem, ""};
  const auto response = connect(config)->transport->send({"GET", "/version"});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::Unavailable);
  EXPECT_THAT(response.error().message,
              AllOf(HasSubstr("certificate verify failed"), HasSubstr("unable to get local issuer")));
}

TEST_F(RealApiServer, ACertificateForAnotherNameIsRefusedAndTheMessageSaysSo) {
  config.tls_server_name = "elsewhere.example.org";
  auto response = connect(config)->transport->send({"GET", "/version"});
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, HasSubstr("hostname mismatch"));

  config.tls_server_name = "192.0.2.1";
  response = connect(config)->transport->send({"GET", "/version"});
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, HasSubstr("IP address mismatch"));
}

TEST_F(RealApiServer, TlsServerNameIsExpectedInsteadOfTheHost) {
  config.tls_server_name = "kubernetes.default.svc";
  const auto response = connect(config)->transport->send({"GET", "/version"});
  ASSERT_TRUE(response) << response.error().describe();
  EXPECT_EQ(response->status, 200);
}

TEST_F(RealApiServer, TheDeadlineEndsAnAnswerThatDoesNotEnd) {
  HttpRequest request{"GET", kNamespaces.path("") + "?watch=true&timeoutSeconds=20"};
  request.deadline = 200ms;
  const auto started = system_clock().monotonic_now();
  const auto response = admin->transport->send(request);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::Timeout);
  EXPECT_LT(system_clock().monotonic_now() - started, 5s);
}

TEST_F(RealApiServer, NobodyIsUnauthorizedAndAnErrorBodyOfAWatchIsReadable) {
  const auto stranger = connect([&] {
    auto other = nobody();
    other.token = "not-a-token";
    return other;
  }());
  const auto got = stranger->client.get(kConfigMaps, {"default", "x"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::Unauthorized);
  const auto watched = stranger->client.watch(kConfigMaps, "default", {});
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().code, ErrorCode::Unauthorized);
  EXPECT_EQ(watched.error().reason, "Unauthorized");
}

TEST_F(RealApiServer, ForbiddenSaysWhoMayNotDoWhat) {
  auto other = nobody();
  other.token = new_token();
  const auto listed = connect(other)->client.list(kSecrets, "default");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::Forbidden);
  EXPECT_EQ(listed.error().reason, "Forbidden");
  EXPECT_THAT(listed.error().message,
              AllOf(HasSubstr("listing secrets in default"), HasSubstr("system:serviceaccount:default:")));
}

TEST_F(RealApiServer, ATokenFileIsReadAgainAfterA401) {
  auto other = nobody();
  other.token_file = directory.write("token", "expired\n");
  const auto connection = connect(other);
  EXPECT_EQ(connection->client.get_raw("/version").error().code, ErrorCode::Unauthorized);
  directory.write("token", new_token() + "\n");
  EXPECT_TRUE(connection->client.get_raw("/version"));
  directory.write("token", new_token() + "\n");
  EXPECT_TRUE(connection->client.get_raw("/version"));
}

TEST_F(RealApiServer, AnExecPluginIsRunOnceForManyRequests) {
  const Json credential = {{"apiVersion", "client.authentication.k8s.io/v1"},
                           {"kind", "ExecCredential"},
                           {"status", {{"token", new_token()}}}};
  directory.write("credential.json", dump_json(credential));
  auto other = nobody();
  other.exec = ExecPlugin{"client.authentication.k8s.io/v1",
                          directory.write_program("plugin",
                                                  "#!/bin/sh\ncd \"$FOLDER\"\necho run >> runs\n"
                                                  "cat credential.json\n"),
                          {},
                          {{"FOLDER", directory.path()}},
                          "",
                          true};
  const auto connection = connect(other);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(connection->client.get_raw("/version"));
  std::ifstream runs(directory.path() + "/runs");
  const std::string text((std::istreambuf_iterator<char>(runs)), {});
  EXPECT_EQ(text, "run\n");
}

TEST_F(RealApiServer, AnObjectLivesFromCreateToDelete) {
  auto& client = admin->client;
  const ObjectKey key{"default", prefix};
  EXPECT_EQ(client.get(kConfigMaps, key).error().code, ErrorCode::NotFound);

  auto created = client.create(kConfigMaps, config_map(prefix, {{"a", "1"}}));
  ASSERT_TRUE(created) << created.error().describe();
  EXPECT_EQ(client.create(kConfigMaps, config_map(prefix)).error().code, ErrorCode::AlreadyExists);

  auto patched = client.patch(kConfigMaps, key, {{"data", {{"b", "ü"}}}}, {PatchType::Merge});
  ASSERT_TRUE(patched) << patched.error().describe();
  EXPECT_EQ(patched->at("data"), Json({{"a", "1"}, {"b", "ü"}}));
  EXPECT_EQ(client.update(kConfigMaps, *created).error().code, ErrorCode::Conflict);

  const Json stale =
      Json::parse(R"([{"op":"test","path":"/data/a","value":"2"},{"op":"remove","path":"/data/a"}])");
  EXPECT_EQ(client.patch(kConfigMaps, key, stale, {PatchType::Json}).error().code, ErrorCode::Conflict);
  const Json exact =
      Json::parse(R"([{"op":"test","path":"/data/a","value":"1"},{"op":"remove","path":"/data/a"}])");
  EXPECT_TRUE(client.patch(kConfigMaps, key, exact, {PatchType::Json}));

  PatchOptions apply{PatchType::Apply};
  apply.force = true;
  auto applied = client.patch(kConfigMaps, key, config_map(prefix, {{"c", "3"}}), apply);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_EQ(applied->at("data"), Json({{"b", "ü"}, {"c", "3"}}));

  DeleteOptions another;
  another.uid = "another";
  EXPECT_EQ(client.remove(kConfigMaps, key, another).error().code, ErrorCode::Conflict);
  EXPECT_TRUE(client.remove(kConfigMaps, key));
  EXPECT_EQ(client.remove(kConfigMaps, key).error().code, ErrorCode::NotFound);
}

TEST_F(RealApiServer, TheStatusIsWrittenApartFromTheRest) {
  const Json labels = {{"app", prefix}};
  const Json pod = {{"metadata", {{"labels", labels}}},
                    {"spec", {{"containers", {{{"name", "c"}, {"image", "none"}}}}}}};
  const auto created = admin->client.create(
      kDeployments,
      {{"metadata", {{"name", prefix}, {"namespace", "default"}}},
       {"spec", {{"replicas", 0}, {"selector", {{"matchLabels", labels}}}, {"template", pod}}}});
  ASSERT_TRUE(created) << created.error().describe();
  Json changed = *created;
  changed["status"]["replicas"] = 7;
  changed["spec"]["replicas"] = 5;
  const auto updated = admin->client.update_status(kDeployments, changed);
  ASSERT_TRUE(updated) << updated.error().describe();
  EXPECT_EQ(updated->at("status").at("replicas"), 7);
  EXPECT_EQ(updated->at("spec").at("replicas"), 0);
  EXPECT_TRUE(admin->client.remove(kDeployments, {"default", prefix}));
}

TEST_F(RealApiServer, AListComesInPagesAndItsItemsAreComplete) {
  for (int i = 0; i < 5; ++i) {
    auto object = config_map(prefix + "-" + std::to_string(i));
    object["metadata"]["labels"]["test"] = prefix;
    ASSERT_TRUE(admin->client.create(kConfigMaps, object));
  }
  ListOptions options;
  options.label_selector = "test=" + prefix;
  options.limit = 2;
  std::size_t pages = 0;
  std::size_t items = 0;
  do {
    const auto page = admin->client.list(kConfigMaps, "default", options);
    ASSERT_TRUE(page) << page.error().describe();
    for (const auto& item : page->items) EXPECT_EQ(item.at("kind"), "ConfigMap");
    items += page->items.size();
    ++pages;
    options.continue_token = page->continue_token;
  } while (!options.continue_token.empty());
  EXPECT_EQ(pages, 3U);
  EXPECT_EQ(items, 5U);
}

TEST_F(RealApiServer, AWatchGivesEveryEventThoughItsReaderComesLate) {
  constexpr int kObjects = 40;
  WatchOptions options;
  options.label_selector = "test=" + prefix;
  auto stream = admin->client.watch(kConfigMaps, "default", options);
  ASSERT_TRUE(stream) << stream.error().describe();
  // More than the stream holds by itself: the rest waits at the server.
  const std::string large(200'000, 'x');
  for (int i = 0; i < kObjects; ++i) {
    auto object = config_map(prefix + "-" + std::to_string(i), {{"text", large}});
    object["metadata"]["labels"]["test"] = prefix;
    ASSERT_TRUE(admin->client.create(kConfigMaps, object));
  }
  const auto names = read_added(**stream, kObjects);
  ASSERT_EQ(names.size(), static_cast<std::size_t>(kObjects));
  for (int i = 0; i < kObjects; ++i) {
    EXPECT_EQ(names[static_cast<std::size_t>(i)], prefix + "-" + std::to_string(i));
    EXPECT_TRUE(admin->client.remove(kConfigMaps, {"default", prefix + "-" + std::to_string(i)}));
  }
}

TEST_F(RealApiServer, AReadInProgressEndsWithCancelAndWithShutdown) {
  WatchOptions options;
  options.label_selector = "test=" + prefix;
  auto cancelled = admin->client.watch(kConfigMaps, "default", options);
  auto shut_down = admin->client.watch(kConfigMaps, "default", options);
  ASSERT_TRUE(cancelled && shut_down);
  std::atomic<int> ended{0};
  const auto reader = [&ended](BodyStream& stream) {
    return [&] {
      auto part = stream.read();
      while (part && !part->empty()) part = stream.read();
      if (!part && part.error().code == ErrorCode::Cancelled) ++ended;
    };
  };
  const auto first = system_clock().start_thread("reader", reader(**cancelled));
  (*cancelled)->cancel();
  first->join();
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(admin->client.get_raw("/version"));

  const auto second = system_clock().start_thread("reader", reader(**shut_down));
  admin->transport->shutdown();
  second->join();
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(admin->client.get_raw("/version").error().code, ErrorCode::Cancelled);
}

TEST_F(RealApiServer, AWatchEndsRegularlyWhenItsTimeIsOver) {
  WatchOptions options;
  options.label_selector = "test=" + prefix;
  options.timeout = 1s;
  auto stream = admin->client.watch(kConfigMaps, "default", options);
  ASSERT_TRUE(stream) << stream.error().describe();
  auto part = (*stream)->read();
  while (part && !part->empty()) part = (*stream)->read();
  EXPECT_TRUE(part) << part.error().describe();
}

TEST_F(RealApiServer, FortyThreadsShareOneTransport) {
  std::atomic<int> answers{0};
  std::vector<std::unique_ptr<Thread>> threads;
  for (int i = 0; i < 40; ++i) {
    threads.push_back(system_clock().start_thread("caller", [&] {
      for (int j = 0; j < 5; ++j) {
        if (admin->client.get_raw("/version")) ++answers;
      }
    }));
  }
  for (const auto& thread : threads) thread->join();
  EXPECT_EQ(answers, 200);
}

}  // namespace
}  // namespace convoke::kube
