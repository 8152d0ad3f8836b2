#include "tests/fakes/api_writes.h"

#include "tests/unit/fakes/api_fixture.h"

namespace convoke::fakes {
namespace {

using namespace std::chrono_literals;

class ApiWrites : public ApiTest {};

TEST_F(ApiWrites, ATypeThatIsNotRegisteredIsAPageNotFound) {
  const kube::ResourceType unknown{"convoke.dev", "v1alpha1", "wishes", "Wish", true};
  const auto answer = api_.create(unknown, "ns", task("a"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_TRUE(answer.body.is_null());
}

TEST_F(ApiWrites, CreatingTwiceIsAlreadyExists) {
  create(task("a"));
  const auto answer = api_.create(kTestTask, "ns", task("a"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.reason(), "AlreadyExists");
  EXPECT_EQ(answer.body["message"], "tasks.convoke.dev \"a\" already exists");
  EXPECT_EQ(answer.body["details"], (Json{{"name", "a"}, {"group", "convoke.dev"}, {"kind", "tasks"}}));
}

TEST_F(ApiWrites, ACreateIsCheckedForNameNamespaceKindAndLabels) {
  Json nameless = task("a");
  nameless["metadata"].erase("name");
  EXPECT_EQ(api_.create(kTestTask, "ns", nameless).status, 422);
  EXPECT_EQ(api_.create(kTestTask, "ns", task("Not_A_Name")).status, 422);
  EXPECT_EQ(api_.create(kTestTask, "other", task("a")).status, 400);
  EXPECT_EQ(api_.call("POST", kTestTask.path("ns"), R"({"kind":"Other","metadata":{"name":"a"}})").status,
            400);
  EXPECT_EQ(api_.call("POST", kTestTask.path("ns"), "not json").status, 400);
  EXPECT_EQ(api_.call("POST", kTestTask.path("ns"), R"({"metadata":{"name":"a","labels":{"a":1}}})").status,
            400);
  EXPECT_EQ(api_.call("POST", kTestTask.path(""), R"({"metadata":{"name":"a"}})").status, 405);
  Json long_label = task("a");
  long_label["metadata"]["labels"]["a"] = std::string(64, 'x');
  const auto answer = api_.create(kTestTask, "ns", long_label);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.reason(), "Invalid");
  EXPECT_EQ(answer.body["details"]["causes"][0]["field"], "metadata.labels");
  EXPECT_TRUE(server_.objects(kTestTask).empty());
}

TEST_F(ApiWrites, ABodyAboveTheLimitIsTooLargeAndAnObjectAboveItsOwnIsAnError) {
  const auto body = api_.create(kTestTask, "ns", task("a", {{"text", std::string(3200 * 1024, 'x')}}));
  EXPECT_EQ(body.status, 413);
  EXPECT_EQ(body.reason(), "RequestEntityTooLarge");
  create(task("a", {{"text", std::string(1000 * 1024, 'x')}}));
  const auto grown =
      api_.merge_patch(kTestTask, {"ns", "a"}, {{"spec", {{"more", std::string(600 * 1024, 'x')}}}});
  EXPECT_EQ(grown.status, 500);
  EXPECT_EQ(grown.body["message"], "etcdserver: request is too large");
  EXPECT_EQ(grown.reason(), "");
}

TEST_F(ApiWrites, ACreateInAMissingNamespaceIsRefusedIfAskedFor) {
  server_.set_require_namespaces(true);
  const auto answer = api_.create(kTestTask, "ns", task("a"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body["message"], "namespaces \"ns\" not found");
  server_.put({"", "v1", "namespaces", "Namespace", false}, named({"", "ns"}));
  create(task("a"));
}

TEST_F(ApiWrites, ACreateSetsTheSystemsMetadataAndDropsTheStatus) {
  Json object = task("a");
  object["status"] = {{"phase", "Succeeded"}};
  object["metadata"]["uid"] = "mine";
  object["metadata"]["generation"] = 7;
  object["metadata"]["labels"] = Json::object();
  create(object);
  const Json metadata = stored("a")["metadata"];
  EXPECT_FALSE(stored("a").contains("status"));
  EXPECT_NE(metadata["uid"], "mine");
  EXPECT_EQ(metadata["generation"], 1);
  EXPECT_EQ(metadata["creationTimestamp"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(metadata["managedFields"][0]["manager"], "client");
  EXPECT_FALSE(metadata.contains("labels"));
}

TEST_F(ApiWrites, GeneratedNamesDiffer) {
  Json object = task("x");
  object["metadata"].erase("name");
  object["metadata"]["generateName"] = "run-";
  create(object);
  create(object);
  const auto objects = server_.objects(kTestTask);
  ASSERT_EQ(objects.size(), 2u);
  EXPECT_EQ(objects[0]["metadata"]["name"].get<std::string>().size(), 9u);
}

TEST_F(ApiWrites, EveryWriteOfAnyTypeRaisesTheOneResourceVersion) {
  const auto first = kube::resource_version_number(create(task("a")));
  const auto second =
      kube::resource_version_number(api_.create(kTestConfigMap, "ns", named({"ns", "c"})).resource_version());
  const auto third = kube::resource_version_number(create(task("b")));
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_EQ(server_.revision(), third);
}

TEST_F(ApiWrites, AnUpdateOfAStaleObjectIsAConflict) {
  const std::string stale = create(task("a"));
  server_.edit(kTestTask, {"ns", "a"}, [](Json& object) { object["spec"]["type"] = "other"; });
  Json object = task("a");
  object["metadata"]["resourceVersion"] = stale;
  const auto put = api_.put(kTestTask, {"ns", "a"}, object);
  EXPECT_EQ(put.status, 409);
  EXPECT_EQ(put.reason(), "Conflict");
  EXPECT_EQ(api_.put(kTestTask, {"ns", "a"}, object, "status").status, 409);
  const Json patch = {{"metadata", {{"resourceVersion", stale}}}, {"spec", {{"type", "third"}}}};
  EXPECT_EQ(api_.merge_patch(kTestTask, {"ns", "a"}, patch).status, 409);
  EXPECT_EQ(api_.json_patch(kTestTask, {"ns", "a"},
                            {{{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", stale}}})
                .status,
            409);
  EXPECT_EQ(stored("a")["spec"]["type"], "other");
}

TEST_F(ApiWrites, AnUpdateNeedsTheRightNameUidAndAResourceVersion) {
  create(task("a"));
  EXPECT_EQ(api_.put(kTestTask, {"ns", "a"}, task("a")).status, 422);
  EXPECT_EQ(api_.put(kTestTask, {"ns", "a"}, task("b")).status, 400);
  EXPECT_EQ(api_.put(kTestTask, {"ns", "b"}, task("b")).status, 404);
  Json object = stored("a");
  object["metadata"]["uid"] = "another";
  EXPECT_EQ(api_.put(kTestTask, {"ns", "a"}, object).status, 409);
  EXPECT_EQ(api_.merge_patch(kTestTask, {"ns", "a"}, {{"metadata", {{"name", "b"}}}}).status, 422);
}

TEST_F(ApiWrites, GenerationRisesWithTheSpecOnly) {
  create(task("a"));
  api_.merge_patch(kTestTask, {"ns", "a"}, {{"metadata", {{"labels", {{"a", "b"}}}}}});
  EXPECT_EQ(stored("a")["metadata"]["generation"], 1);
  api_.merge_patch(kTestTask, {"ns", "a"}, {{"status", {{"phase", "Queued"}}}}, "status");
  EXPECT_EQ(stored("a")["metadata"]["generation"], 1);
  api_.merge_patch(kTestTask, {"ns", "a"}, {{"spec", {{"type", "other"}}}});
  EXPECT_EQ(stored("a")["metadata"]["generation"], 2);
}

TEST_F(ApiWrites, StatusAndTheRestAreIsolatedBothWays) {
  create(task("a"));
  const Json everything = {{"metadata", {{"labels", {{"a", "b"}}}}},
                           {"spec", {{"type", "other"}}},
                           {"status", {{"phase", "Queued"}}}};
  EXPECT_EQ(api_.merge_patch(kTestTask, {"ns", "a"}, everything, "status").status, 200);
  EXPECT_EQ(stored("a")["status"]["phase"], "Queued");
  EXPECT_EQ(stored("a")["spec"]["type"], "build");
  EXPECT_FALSE(stored("a")["metadata"].contains("labels"));

  Json object = stored("a");
  object["status"]["phase"] = "Succeeded";
  object["spec"]["type"] = "third";
  EXPECT_EQ(api_.put(kTestTask, {"ns", "a"}, object).status, 200);
  EXPECT_EQ(stored("a")["status"]["phase"], "Queued");
  EXPECT_EQ(stored("a")["spec"]["type"], "third");
  EXPECT_EQ(api_.merge_patch(kTestConfigMap, {"ns", "a"}, everything, "status").status, 404);
}

TEST_F(ApiWrites, AWriteThatChangesNothingKeepsTheResourceVersion) {
  const std::string before = create(task("a"));
  EXPECT_EQ(api_.put(kTestTask, {"ns", "a"}, stored("a")).resource_version(), before);
  EXPECT_EQ(api_.merge_patch(kTestTask, {"ns", "a"}, {{"spec", {{"type", "build"}}}}).resource_version(),
            before);
  EXPECT_EQ(
      api_.merge_patch(kTestTask, {"ns", "a"}, {{"metadata", {{"labels", nullptr}}}}).resource_version(),
      before);
}

TEST_F(ApiWrites, ApplyCreatesThenMergesAndRecordsItsManager) {
  EXPECT_EQ(api_.apply(kTestTask, {"ns", "a"}, task("a"), "").status, 422);
  EXPECT_EQ(api_.apply(kTestTask, {"ns", "a"}, task("a"), "convoke").status, 201);
  const auto answer = api_.apply(kTestTask, {"ns", "a"}, task("a", {{"priority", 3}}), "convoke");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(stored("a")["spec"], (Json{{"type", "build"}, {"priority", 3}}));
  EXPECT_EQ(stored("a")["metadata"]["managedFields"][0]["operation"], "Apply");
  EXPECT_EQ(api_.apply(kTestTask, {"ns", "a"}, task("a"), "convoke").resource_version(),
            answer.resource_version());
}

TEST_F(ApiWrites, DeletePreconditionsMustHold) {
  create(task("a"));
  const std::string stale = stored("a")["metadata"]["resourceVersion"];
  server_.edit(kTestTask, {"ns", "a"}, [](Json& object) { object["spec"]["type"] = "other"; });
  for (const Json& preconditions : {Json{{"uid", "another"}}, Json{{"resourceVersion", stale}}}) {
    const auto answer = api_.remove(kTestTask, {"ns", "a"}, {{"preconditions", preconditions}});
    EXPECT_EQ(answer.status, 409) << preconditions;
    EXPECT_EQ(answer.reason(), "Conflict");
  }
  EXPECT_FALSE(stored("a").is_null());
  EXPECT_EQ(api_.remove(kTestTask, {"ns", "b"}).status, 404);
}

TEST_F(ApiWrites, DeletingAnswersWithASuccessStatus) {
  create(task("a"));
  const Json uid = stored("a")["metadata"]["uid"];
  const auto answer = api_.remove(kTestTask, {"ns", "a"}, {{"preconditions", {{"uid", uid}}}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["status"], "Success");
  EXPECT_EQ(answer.body["details"]["uid"], uid);
  EXPECT_TRUE(stored("a").is_null());
}

TEST_F(ApiWrites, AFinalizerHoldsADeletedObjectUntilItIsRemoved) {
  Json object = task("a");
  object["metadata"]["finalizers"] = {"convoke.dev/a"};
  create(object);
  const auto answer = api_.remove(kTestTask, {"ns", "a"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body["kind"], "Task");
  EXPECT_TRUE(stored("a")["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(stored("a")["metadata"]["generation"], 2);
  EXPECT_EQ(api_.remove(kTestTask, {"ns", "a"}).resource_version(), answer.resource_version());
  EXPECT_EQ(api_.merge_patch(kTestTask, {"ns", "a"}, {{"metadata", {{"finalizers", {"convoke.dev/a", "b"}}}}})
                .status,
            422);
  EXPECT_EQ(api_.merge_patch(kTestTask, {"ns", "a"}, {{"metadata", {{"deletionTimestamp", nullptr}}}}).status,
            200);
  EXPECT_TRUE(stored("a")["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(api_.merge_patch(kTestTask, {"ns", "a"}, {{"metadata", {{"finalizers", nullptr}}}}).status, 200);
  EXPECT_TRUE(stored("a").is_null());
}

TEST_F(ApiWrites, ATypesReviewMayRefuseAndItsDefaultsAreSet) {
  TypeOptions options;
  options.set_defaults = [](Json& object) { object["spec"].emplace("priority", 3); };
  options.review = [](const WriteReview& review) -> Status {
    if (review.client == "intruder") {
      return {ErrorCode::Forbidden, "only the operator may write"};
    }
    if (review.after["spec"]["priority"] == 9) {
      return {ErrorCode::Invalid, "priority is too high"};
    }
    return {};
  };
  server_.register_type(kTestTask, options);
  const auto intruder = server_.connect("intruder");
  const auto refused = RawApi(*intruder).create(kTestTask, "ns", task("a"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.reason(), "Forbidden");
  EXPECT_EQ(api_.create(kTestTask, "ns", task("a", {{"priority", 9}})).status, 422);
  create(task("a"));
  EXPECT_EQ(stored("a")["spec"]["priority"], 3);
}

TEST_F(ApiWrites, AControllerRevisionsDataNeverChanges) {
  const kube::ResourceType revisions{"apps", "v1", "controllerrevisions", "ControllerRevision", true};
  Json object = named({"ns", "a"});
  object["data"] = {{"a", 1}};
  EXPECT_EQ(api_.create(revisions, "ns", object).status, 201);
  EXPECT_EQ(api_.merge_patch(revisions, {"ns", "a"}, {{"data", {{"a", 2}}}}).status, 422);
  EXPECT_EQ(api_.merge_patch(revisions, {"ns", "a"}, {{"metadata", {{"labels", {{"a", "b"}}}}}}).status, 200);
}

TEST_F(ApiWrites, EditsAsAPersonReachSpecAndStatus) {
  Json object = task("a");
  object["status"] = {{"phase", "Queued"}};
  server_.put(kTestTask, object);
  EXPECT_EQ(stored("a")["status"]["phase"], "Queued");
  server_.edit(kTestTask, {"ns", "a"}, [](Json& wanted) {
    wanted["spec"]["type"] = "other";
    wanted.erase("status");
  });
  EXPECT_EQ(stored("a")["spec"]["type"], "other");
  EXPECT_FALSE(stored("a").contains("status"));
  server_.remove(kTestTask, {"ns", "a"});
  EXPECT_THROW(server_.remove(kTestTask, {"ns", "a"}), std::runtime_error);
  EXPECT_EQ(server_.write_count(), 0u);
}

}  // namespace
}  // namespace convoke::fakes
