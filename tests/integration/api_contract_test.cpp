// The same checks against the fake API server and a real one, so that the fake deserves the trust that all
// other tests put in it. The real half needs a cluster: $CONVOKE_TEST_KUBECONFIG names an administrator of
// it.

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controller/base/random.h"
#include "controller/kube/config.h"
#include "controller/kube/cpprest_transport.h"
#include "controller/kube/lease.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/raw_api.h"

namespace convoke::fakes {
namespace {

const kube::ResourceType kConfigMaps{"", "v1", "configmaps", "ConfigMap", true};
const kube::ResourceType kEvents{"events.k8s.io", "v1", "events", "Event", true};
const kube::ResourceType kDefinitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                      "CustomResourceDefinition", false};
// A kind of our own with a status, to check what holds for custom resources only.
const kube::ResourceType kWidgets{"contract.convoke.dev", "v1", "widgets", "Widget", true};
constexpr const char* kNamespace = "default";

class Backend {
 public:
  virtual ~Backend() = default;
  virtual kube::Transport& transport() = 0;
  // Makes the server serve kWidgets, whose history begins after resourceVersion 1.
  virtual void install_widgets() = 0;
};

class FakeBackend final : public Backend {
 public:
  FakeBackend() { register_builtin_types(server_); }
  kube::Transport& transport() override { return *transport_; }
  void install_widgets() override {
    server_.put({"", "v1", "namespaces", "Namespace", false}, named({"", kNamespace}));
    server_.register_type(kWidgets, {.selectable_fields = {"status.agentName"}});
  }

 private:
  FakeClock clock_;
  FakeApiServer server_{clock_};
  std::unique_ptr<kube::Transport> transport_ = server_.connect("contract-test");
};

Json widget_definition() {
  const Json anything = {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  Json status = anything;
  status["properties"]["agentName"]["type"] = "string";
  const Json schema = {{"type", "object"}, {"properties", {{"spec", anything}, {"status", status}}}};
  const Json field = {{"jsonPath", ".status.agentName"}};
  const Json version = {{"name", kWidgets.version},
                        {"served", true},
                        {"storage", true},
                        {"subresources", {{"status", Json::object()}}},
                        {"selectableFields", Json::array({field})},
                        {"schema", {{"openAPIV3Schema", schema}}}};
  Json definition = named({"", kWidgets.plural + "." + kWidgets.group});
  definition["spec"] = {{"group", kWidgets.group},
                        {"scope", "Namespaced"},
                        {"names", {{"plural", kWidgets.plural}, {"kind", kWidgets.kind}}},
                        {"versions", Json::array({version})}};
  return definition;
}

class RealBackend final : public Backend {
 public:
  explicit RealBackend(std::unique_ptr<SystemClock> clock, std::unique_ptr<kube::Transport> transport)
      : clock_(std::move(clock)), transport_(std::move(transport)) {}
  kube::Transport& transport() override { return *transport_; }

  void install_widgets() override {
    RawApi api(*transport_);
    const auto created = api.create(kDefinitions, "", widget_definition());
    ASSERT_TRUE(created.status == 201 || created.status == 409) << created.body;
    StopSignal pause(*clock_);
    const MonotonicTime deadline = clock_->monotonic_now() + std::chrono::seconds(30);
    // Lists are answered before watches: those are refused (429) until the server's cache is filled.
    const auto is_served = [&] {
      return api.list(kWidgets, kNamespace).status == 200 &&
             api.watch(kWidgets, kNamespace, "timeoutSeconds=1").status() == 200;
    };
    while (!is_served() && clock_->monotonic_now() < deadline) {
      pause.sleep_for(std::chrono::milliseconds(20));
    }
  }

 private:
  std::unique_ptr<SystemClock> clock_;
  std::unique_ptr<kube::Transport> transport_;
};

Result<std::unique_ptr<Backend>> make_real_backend() {
  const char* kubeconfig = std::getenv("CONVOKE_TEST_KUBECONFIG");
  if (kubeconfig == nullptr || *kubeconfig == '\0') {
    return {ErrorCode::Invalid,
            "CONVOKE_TEST_KUBECONFIG must name the kubeconfig of a test cluster: run `hack/dev-cluster up`, "
            "`eval \"$(hack/dev-cluster env)\"` and `export CONVOKE_TEST_KUBECONFIG=$KUBECONFIG`"};
  }
  kube::ConfigOptions options;
  options.kubeconfig = kubeconfig;
  const auto config = kube::load_config(options);
  if (!config) {
    return config.error();
  }
  auto clock = std::make_unique<SystemClock>();
  auto transport = kube::make_cpprest_transport(*config, *clock, Logger());
  if (!transport) {
    return transport.error();
  }
  return std::unique_ptr<Backend>(std::make_unique<RealBackend>(std::move(clock), std::move(*transport)));
}

class ApiContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "Fake") {
      backend_ = std::make_unique<FakeBackend>();
    } else {
      auto backend = make_real_backend();
      ASSERT_TRUE(backend) << backend.error().message;
      backend_ = std::move(*backend);
    }
    api_ = std::make_unique<RawApi>(backend_->transport());
    id_ = "contract-" + make_system_random()->hex(5);
  }

  void TearDown() override {
    if (api_ == nullptr) {
      return;
    }
    for (const auto& type : {kConfigMaps, kube::kLease, kEvents, kWidgets}) {
      const auto list = api_->list(type, kNamespace, selector());
      if (list.status != 200) {
        continue;
      }
      for (const auto& item : list.body["items"]) {
        const auto key = kube::meta_from_json(item).key();
        api_->merge_patch(type, key, {{"metadata", {{"finalizers", nullptr}}}});
        api_->remove(type, key);
      }
    }
  }

  // Objects of one test bear its own label, and names that no other test uses.
  std::string selector() const { return "labelSelector=test%3D" + id_; }
  kube::ObjectKey key(const std::string& suffix) const { return {kNamespace, id_ + "-" + suffix}; }

  Json config_map(const std::string& suffix, const std::string& value = "1") const {
    Json object = named(key(suffix));
    object["metadata"]["labels"]["test"] = id_;
    object["data"]["value"] = value;
    return object;
  }

  RawAnswer create(const std::string& suffix) {
    auto answer = api_->create(kConfigMaps, kNamespace, config_map(suffix));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer;
  }

  RawAnswer set_value(const std::string& suffix, const std::string& value) {
    return api_->merge_patch(kConfigMaps, key(suffix), {{"data", {{"value", value}}}});
  }

  // A Widget with a spec, created.
  RawAnswer create_widget(const std::string& suffix) {
    backend_->install_widgets();
    auto answer = api_->create(kWidgets, kNamespace, widget(suffix));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer;
  }

  Json widget(const std::string& suffix) const {
    Json object = config_map(suffix);
    object.erase("data");
    object["spec"] = {{"size", 1}};
    object["status"] = {{"phase", "Dreamt"}};
    return object;
  }

  RawAnswer get_widget(const std::string& suffix) { return api_->get(kWidgets, key(suffix)); }

  RawWatch watch(const std::string& query) {
    return api_->watch(kConfigMaps, kNamespace, selector() + "&timeoutSeconds=20&" + query);
  }

  // "ADDED a", without the prefix that all names share.
  std::string line(const std::optional<Json>& event) const {
    if (!event) {
      return "end";
    }
    const std::string name = (*event)["object"]["metadata"].value("name", "");
    return event->at("type").get<std::string>() + " " + name.substr(std::min(name.size(), id_.size() + 1));
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<RawApi> api_;
  std::string id_;
};

TEST_P(ApiContract, AMissingObjectIsNotFound) {
  const auto answer = api_->get(kConfigMaps, key("none"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.reason(), "NotFound");
  EXPECT_EQ(answer.body["details"]["kind"], "configmaps");
  EXPECT_EQ(api_->remove(kConfigMaps, key("none")).status, 404);
  EXPECT_EQ(set_value("none", "1").status, 404);
}

TEST_P(ApiContract, AnUnknownTypeIsAPageNotFound) {
  const kube::ResourceType unknown{"nobody.convoke.dev", "v1", "wishes", "Wish", true};
  const auto answer = api_->list(unknown, kNamespace);
  EXPECT_EQ(answer.status, 404);
  EXPECT_TRUE(answer.body.is_null());
}

TEST_P(ApiContract, CreatingTwiceIsAlreadyExists) {
  create("a");
  const auto answer = api_->create(kConfigMaps, kNamespace, config_map("a", "2"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.reason(), "AlreadyExists");
  EXPECT_EQ(answer.body["message"], "configmaps \"" + key("a").name + "\" already exists");
  EXPECT_EQ(api_->get(kConfigMaps, key("a")).body["data"]["value"], "1");
}

TEST_P(ApiContract, ACreateIsChecked) {
  Json bad_name = config_map("a");
  bad_name["metadata"]["name"] = "Not_A_Name";
  EXPECT_EQ(api_->create(kConfigMaps, kNamespace, bad_name).status, 422);
  Json bad_label = config_map("a");
  bad_label["metadata"]["labels"]["x"] = std::string(64, 'x');
  const auto answer = api_->create(kConfigMaps, kNamespace, bad_label);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.reason(), "Invalid");
  EXPECT_EQ(answer.body["details"]["causes"][0]["field"], "metadata.labels");
  Json wrong_namespace = config_map("a");
  wrong_namespace["metadata"]["namespace"] = "elsewhere";
  EXPECT_EQ(api_->create(kConfigMaps, kNamespace, wrong_namespace).status, 400);
  EXPECT_EQ(api_->call("POST", kConfigMaps.path(kNamespace), "not json").status, 400);
}

TEST_P(ApiContract, ACreateWithAResourceVersionIsRefused) {
  Json object = config_map("a");
  object["metadata"]["resourceVersion"] = "1";
  EXPECT_EQ(api_->create(kConfigMaps, kNamespace, object).status, 500);
}

TEST_P(ApiContract, AStaleUpdateIsAConflict) {
  const std::string stale = create("a").resource_version();
  EXPECT_EQ(set_value("a", "2").status, 200);
  Json object = config_map("a", "3");
  object["metadata"]["resourceVersion"] = stale;
  const auto put = api_->put(kConfigMaps, key("a"), object);
  EXPECT_EQ(put.status, 409);
  EXPECT_EQ(put.reason(), "Conflict");
  const auto patch = api_->merge_patch(kConfigMaps, key("a"), object);
  EXPECT_EQ(patch.status, 409);
  EXPECT_EQ(patch.reason(), "Conflict");
  EXPECT_EQ(api_->get(kConfigMaps, key("a")).body["data"]["value"], "2");
}

TEST_P(ApiContract, ALeaseIsNotUpdatedWithoutAResourceVersion) {
  Json lease = config_map("a");
  lease.erase("data");
  lease["spec"]["holderIdentity"] = "me";
  const auto created = api_->create(kube::kLease, kNamespace, lease);
  ASSERT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(api_->put(kube::kLease, key("a"), lease).status, 422);
  lease["metadata"]["resourceVersion"] = created.resource_version();
  lease["spec"]["holderIdentity"] = "you";
  EXPECT_EQ(api_->put(kube::kLease, key("a"), lease).status, 200);
  EXPECT_EQ(api_->put(kube::kLease, key("a"), lease).status, 409);
}

TEST_P(ApiContract, AFailedTestOfAJsonPatchIsUnprocessable) {
  create("a");
  const auto answer = api_->json_patch(kConfigMaps, key("a"),
                                       {{{"op", "test"}, {"path", "/data/value"}, {"value", "2"}},
                                        {{"op", "replace"}, {"path", "/data/value"}, {"value", "3"}}});
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.reason(), "Invalid");
  EXPECT_NE(
      answer.body["message"].get<std::string>().find("rejected our request due to an error in our request"),
      std::string::npos);
  EXPECT_FALSE(answer.body.value("details", Json::object()).contains("causes"));
  const auto missing = api_->json_patch(kConfigMaps, key("a"), {{{"op", "remove"}, {"path", "/data/none"}}});
  EXPECT_EQ(missing.status, 422);
  EXPECT_EQ(api_->get(kConfigMaps, key("a")).body["data"]["value"], "1");
}

TEST_P(ApiContract, AJsonPatchWhoseTestHoldsIsCarriedOut) {
  create("a");
  const auto answer = api_->json_patch(kConfigMaps, key("a"),
                                       {{{"op", "test"}, {"path", "/data/value"}, {"value", "1"}},
                                        {{"op", "replace"}, {"path", "/data/value"}, {"value", "2"}}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["data"]["value"], "2");
}

TEST_P(ApiContract, PatchesThatCannotBeReadAreBadRequestsOrUnsupported) {
  create("a");
  const std::string path = kConfigMaps.path(kNamespace, key("a").name);
  EXPECT_EQ(api_->call("PATCH", path, "{}", "application/json-patch+json").status, 400);
  EXPECT_EQ(api_->call("PATCH", path, "nothing", "application/merge-patch+json").status, 400);
  EXPECT_EQ(api_->call("PATCH", path, "{}", "application/json").status, 415);
}

TEST_P(ApiContract, AWriteThatChangesNothingKeepsTheResourceVersion) {
  const auto created = create("a");
  EXPECT_EQ(set_value("a", "1").resource_version(), created.resource_version());
  EXPECT_EQ(api_->put(kConfigMaps, key("a"), created.body).resource_version(), created.resource_version());
  EXPECT_NE(set_value("a", "2").resource_version(), created.resource_version());
}

TEST_P(ApiContract, ApplyNeedsAManagerAndCreatesOrMerges) {
  EXPECT_EQ(api_->apply(kConfigMaps, key("a"), config_map("a"), "").status, 422);
  EXPECT_EQ(api_->apply(kConfigMaps, key("a"), config_map("a"), "tester").status, 201);
  const auto second = api_->apply(kConfigMaps, key("a"), config_map("a", "2"), "tester");
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.body["data"]["value"], "2");
  EXPECT_EQ(second.body["metadata"]["managedFields"][0]["manager"], "tester");
}

TEST_P(ApiContract, DeletePreconditionsMustHold) {
  const auto created = create("a");
  set_value("a", "2");
  for (const Json& preconditions :
       {Json{{"uid", "another"}}, Json{{"resourceVersion", created.resource_version()}}}) {
    const auto answer = api_->remove(kConfigMaps, key("a"), {{"preconditions", preconditions}});
    EXPECT_EQ(answer.status, 409) << preconditions;
    EXPECT_EQ(answer.reason(), "Conflict");
  }
  const Json uid = created.body["metadata"]["uid"];
  const auto answer = api_->remove(kConfigMaps, key("a"), {{"preconditions", {{"uid", uid}}}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["kind"], "Status");
  EXPECT_EQ(answer.body["status"], "Success");
  EXPECT_EQ(answer.body["details"]["uid"], uid);
  EXPECT_EQ(api_->get(kConfigMaps, key("a")).status, 404);
}

TEST_P(ApiContract, AFinalizerHoldsADeletedObject) {
  Json object = config_map("a");
  object["metadata"]["finalizers"] = {"convoke.dev/contract"};
  ASSERT_EQ(api_->create(kConfigMaps, kNamespace, object).status, 201);
  const auto deleted = api_->remove(kConfigMaps, key("a"));
  EXPECT_EQ(deleted.status, 200);
  EXPECT_EQ(deleted.body["kind"], "ConfigMap");
  EXPECT_TRUE(deleted.body["metadata"].contains("deletionTimestamp"));
  const Json more = {{"metadata", {{"finalizers", {"convoke.dev/contract", "convoke.dev/more"}}}}};
  EXPECT_EQ(api_->merge_patch(kConfigMaps, key("a"), more).status, 422);
  auto stream = watch("resourceVersion=" + deleted.resource_version());
  EXPECT_EQ(api_->merge_patch(kConfigMaps, key("a"), {{"metadata", {{"finalizers", nullptr}}}}).status, 200);
  EXPECT_EQ(line(stream.next_change()), "DELETED a");
  EXPECT_EQ(api_->get(kConfigMaps, key("a")).status, 404);
}

TEST_P(ApiContract, DependentsAreCollectedWithTheirOwner) {
  const auto owner = create("owner");
  Json child = config_map("child");
  child["metadata"]["ownerReferences"] = {{{"apiVersion", "v1"},
                                           {"kind", "ConfigMap"},
                                           {"name", key("owner").name},
                                           {"uid", owner.body["metadata"]["uid"]}}};
  const auto created = api_->create(kConfigMaps, kNamespace, child);
  ASSERT_EQ(created.status, 201) << created.body;
  auto stream = watch("resourceVersion=" + created.resource_version());
  EXPECT_EQ(api_->remove(kConfigMaps, key("owner")).status, 200);
  EXPECT_EQ(line(stream.next_change()), "DELETED owner");
  EXPECT_EQ(line(stream.next_change()), "DELETED child");
}

TEST_P(ApiContract, AListComesInPagesOfOneState) {
  for (const char* suffix : {"a", "b", "c"}) {
    create(suffix);
  }
  const auto first = api_->list(kConfigMaps, kNamespace, selector() + "&limit=2");
  ASSERT_EQ(first.status, 200);
  EXPECT_EQ(first.body["kind"], "ConfigMapList");
  EXPECT_EQ(first.body["items"].size(), 2u);
  create("d");
  const std::string token = first.body["metadata"]["continue"];
  const auto second = api_->list(kConfigMaps, kNamespace, selector() + "&limit=2&continue=" + token);
  ASSERT_EQ(second.status, 200) << second.body;
  ASSERT_EQ(second.body["items"].size(), 1u);
  EXPECT_EQ(second.body["items"][0]["metadata"]["name"], key("c").name);
  EXPECT_FALSE(second.body["items"][0].contains("kind"));
  EXPECT_EQ(second.resource_version(), first.resource_version());
  EXPECT_EQ(second.body["metadata"].value("continue", ""), "");
}

TEST_P(ApiContract, SelectorsOfListsAreChecked) {
  create("a");
  create("b");
  const auto one =
      api_->list(kConfigMaps, kNamespace, selector() + "&fieldSelector=metadata.name%3D" + key("b").name);
  ASSERT_EQ(one.body["items"].size(), 1u);
  EXPECT_EQ(api_->list(kConfigMaps, kNamespace, "fieldSelector=data.value%3D1").status, 400);
  EXPECT_EQ(api_->list(kConfigMaps, kNamespace, "labelSelector=a%20b").status, 400);
  EXPECT_EQ(
      api_->list(kConfigMaps, kNamespace, "labelSelector=test%20notin%20(x)," + std::string("test%3D") + id_)
          .body["items"]
          .size(),
      2u);
}

TEST_P(ApiContract, AListOfTheFutureTimesOut) {
  EXPECT_EQ(api_->list(kConfigMaps, kNamespace, "resourceVersion=9000000000").status, 504);
}

TEST_P(ApiContract, AWatchResumesAfterItsResourceVersion) {
  const std::string start = create("a").resource_version();
  create("b");
  set_value("a", "2");
  api_->remove(kConfigMaps, key("b"));
  auto stream = watch("resourceVersion=" + start);
  EXPECT_EQ(stream.status(), 200);
  EXPECT_EQ(line(stream.next_change()), "ADDED b");
  EXPECT_EQ(line(stream.next_change()), "MODIFIED a");
  const auto deleted = stream.next_change();
  EXPECT_EQ(line(deleted), "DELETED b");
  create("c");
  const auto added = stream.next_change();
  EXPECT_EQ(line(added), "ADDED c");
  EXPECT_LT(kube::resource_version_number((*deleted)["object"]["metadata"]["resourceVersion"]),
            kube::resource_version_number((*added)["object"]["metadata"]["resourceVersion"]));
}

TEST_P(ApiContract, AnObjectThatEntersOrLeavesTheSelectionIsAddedOrDeleted) {
  const std::string start = create("a").resource_version();
  auto stream =
      api_->watch(kConfigMaps, kNamespace,
                  "labelSelector=test%3D" + id_ + "%2Cteam%3Dx&timeoutSeconds=20&resourceVersion=" + start);
  const auto set_team = [&](const Json& team) {
    api_->merge_patch(kConfigMaps, key("a"), {{"metadata", {{"labels", {{"team", team}}}}}});
  };
  set_team("x");
  set_value("a", "2");
  set_team(nullptr);
  EXPECT_EQ(line(stream.next_change()), "ADDED a");
  EXPECT_EQ(line(stream.next_change()), "MODIFIED a");
  const auto deleted = stream.next_change();
  EXPECT_EQ(line(deleted), "DELETED a");
  EXPECT_EQ((*deleted)["object"]["metadata"]["labels"]["team"], "x");
  EXPECT_EQ((*deleted)["object"]["metadata"]["resourceVersion"],
            api_->get(kConfigMaps, key("a")).resource_version());
}

TEST_P(ApiContract, InitialEventsEndWithAnAnnotatedBookmark) {
  create("a");
  create("b");
  auto stream = watch("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  ASSERT_EQ(stream.status(), 200);
  EXPECT_EQ((std::set{line(stream.next()), line(stream.next())}),
            (std::set<std::string>{"ADDED a", "ADDED b"}));
  const auto bookmark = stream.next();
  ASSERT_TRUE(bookmark);
  EXPECT_EQ((*bookmark)["type"], "BOOKMARK");
  EXPECT_EQ((*bookmark)["object"]["kind"], "ConfigMap");
  EXPECT_EQ((*bookmark)["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  create("c");
  EXPECT_EQ(line(stream.next_change()), "ADDED c");
}

TEST_P(ApiContract, InitialEventsNeedAResourceVersionMatch) {
  auto stream = watch("sendInitialEvents=true&allowWatchBookmarks=true");
  EXPECT_EQ(stream.status(), 422);
  EXPECT_EQ(stream.read_error_body()["reason"], "Invalid");
}

TEST_P(ApiContract, AWatchOfAncientHistoryIsExpired) {
  create_widget("a");
  auto stream = api_->watch(kWidgets, kNamespace, "resourceVersion=1&timeoutSeconds=20");
  EXPECT_EQ(stream.status(), 200);
  const auto event = stream.next();
  ASSERT_TRUE(event);
  ASSERT_EQ((*event)["type"], "ERROR") << *event;
  EXPECT_EQ((*event)["object"]["code"], 410);
  EXPECT_EQ((*event)["object"]["reason"], "Expired");
  EXPECT_FALSE(stream.next());
}

TEST_P(ApiContract, ACustomResourceIsNotUpdatedWithoutAResourceVersion) {
  create_widget("a");
  const auto answer = api_->put(kWidgets, key("a"), widget("a"));
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body["details"]["causes"][0]["field"], "metadata.resourceVersion");
}

TEST_P(ApiContract, StatusAndTheRestAreIsolatedBothWays) {
  const auto created = create_widget("a");
  EXPECT_FALSE(created.body.contains("status"));
  const Json everything = {
      {"metadata", {{"labels", {{"team", "x"}}}}}, {"spec", {{"size", 2}}}, {"status", {{"phase", "Real"}}}};
  const auto status = api_->merge_patch(kWidgets, key("a"), everything, "status");
  EXPECT_EQ(status.status, 200);
  EXPECT_EQ(status.body["status"]["phase"], "Real");
  EXPECT_EQ(status.body["spec"]["size"], 1);
  EXPECT_FALSE(status.body["metadata"]["labels"].contains("team"));
  Json object = status.body;
  object["status"]["phase"] = "Other";
  object["spec"]["size"] = 3;
  const auto put = api_->put(kWidgets, key("a"), object);
  EXPECT_EQ(put.status, 200);
  EXPECT_EQ(put.body["status"]["phase"], "Real");
  EXPECT_EQ(put.body["spec"]["size"], 3);
  EXPECT_EQ(api_->put(kWidgets, key("a"), object, "status").status, 409);
}

TEST_P(ApiContract, GenerationRisesWithTheSpecAndTheDeletionOnly) {
  EXPECT_EQ(create_widget("a").body["metadata"]["generation"], 1);
  const Json metadata = {
      {"metadata", {{"labels", {{"team", "x"}}}, {"finalizers", Json::array({"convoke.dev/contract"})}}}};
  EXPECT_EQ(api_->merge_patch(kWidgets, key("a"), metadata).body["metadata"]["generation"], 1);
  const Json status = {{"status", {{"phase", "Real"}}}};
  EXPECT_EQ(api_->merge_patch(kWidgets, key("a"), status, "status").body["metadata"]["generation"], 1);
  const Json spec = {{"spec", {{"size", 2}}}};
  EXPECT_EQ(api_->merge_patch(kWidgets, key("a"), spec).body["metadata"]["generation"], 2);
  EXPECT_EQ(api_->merge_patch(kWidgets, key("a"), spec).body["metadata"]["generation"], 2);
  const auto deleted = api_->remove(kWidgets, key("a"));
  EXPECT_EQ(deleted.body["metadata"]["generation"], 3);
  EXPECT_EQ(api_->remove(kWidgets, key("a")).resource_version(), deleted.resource_version());
}

TEST_P(ApiContract, ATestInAStatusPatchFencesItsWriter) {
  create_widget("a");
  api_->merge_patch(kWidgets, key("a"), {{"status", {{"assignment", {{"id", "x"}}}}}}, "status");
  const auto report = [](const char* id) {
    return Json::array({{{"op", "test"}, {"path", "/status/assignment/id"}, {"value", id}},
                        {{"op", "add"}, {"path", "/status/report"}, {"value", {{"state", "Running"}}}}});
  };
  EXPECT_EQ(api_->json_patch(kWidgets, key("a"), report("y"), "status").status, 422);
  EXPECT_FALSE(get_widget("a").body["status"].contains("report"));
  EXPECT_EQ(api_->json_patch(kWidgets, key("a"), report("x"), "status").status, 200);
  EXPECT_EQ(get_widget("a").body["status"]["report"]["state"], "Running");
}

TEST_P(ApiContract, ASelectableFieldIsWatched) {
  const std::string start = create_widget("a").resource_version();
  const std::string query = selector() + "&timeoutSeconds=20&resourceVersion=" + start;
  auto stream = api_->watch(kWidgets, kNamespace, query + "&fieldSelector=status.agentName%3Dme");
  const auto assign = [&](const char* agent) {
    api_->merge_patch(kWidgets, key("a"), {{"status", {{"agentName", agent}}}}, "status");
  };
  assign("you");
  assign("me");
  assign("nobody");
  EXPECT_EQ(line(stream.next_change()), "ADDED a");
  const auto deleted = stream.next_change();
  EXPECT_EQ(line(deleted), "DELETED a");
  EXPECT_EQ((*deleted)["object"]["status"]["agentName"], "me");
  const auto listed =
      api_->list(kWidgets, kNamespace, selector() + "&fieldSelector=status.agentName%3Dnobody");
  ASSERT_EQ(listed.body["items"].size(), 1u);
  EXPECT_EQ(listed.body["items"][0]["kind"], "Widget");
  EXPECT_EQ(api_->list(kWidgets, kNamespace, "fieldSelector=spec.size%3D1").status, 400);
}

TEST_P(ApiContract, ABodyAboveTheLimitIsTooLargeAndAnObjectAboveItsOwnIsAnError) {
  backend_->install_widgets();
  Json object = widget("a");
  object["spec"]["text"] = std::string(3200 * 1024, 'x');
  const auto body = api_->create(kWidgets, kNamespace, object);
  EXPECT_EQ(body.status, 413);
  EXPECT_EQ(body.reason(), "RequestEntityTooLarge");
  object["spec"]["text"] = std::string(1800 * 1024, 'x');
  const auto stored = api_->create(kWidgets, kNamespace, object);
  EXPECT_EQ(stored.status, 500);
  EXPECT_EQ(stored.body["message"], "etcdserver: request is too large");
  object["spec"]["text"] = std::string(1000 * 1024, 'x');
  EXPECT_EQ(api_->create(kWidgets, kNamespace, object).status, 201);
}

TEST_P(ApiContract, AWatchEndsAfterItsTimeout) {
  auto stream = api_->watch(kConfigMaps, kNamespace, selector() + "&timeoutSeconds=1");
  EXPECT_FALSE(stream.next_change());
  EXPECT_FALSE(stream.error());
}

TEST_P(ApiContract, AWatchThatIsCancelledSaysSo) {
  auto stream = watch("");
  stream.cancel();
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.error()->code, ErrorCode::Cancelled);
}

TEST_P(ApiContract, EventsAreCreatedAndListed) {
  Json event = config_map("a");
  event.erase("data");
  event.update({{"eventTime", "2026-01-31T12:00:05.123456Z"},
                {"reportingController", "convoke.dev/contract"},
                {"reportingInstance", "contract"},
                {"action", "Test"},
                {"reason", "Tested"},
                {"type", "Normal"},
                {"note", "the contract is kept"},
                {"regarding", {{"kind", "ConfigMap"}, {"namespace", kNamespace}, {"name", id_}}}});
  const auto created = api_->create(kEvents, kNamespace, event);
  ASSERT_EQ(created.status, 201) << created.body;
  EXPECT_EQ(api_->list(kEvents, kNamespace, selector()).body["items"].size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Server, ApiContract, testing::Values("Fake", "Real"),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace convoke::fakes
