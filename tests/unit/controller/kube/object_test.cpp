#include "controller/kube/object.h"

#include <gtest/gtest.h>

namespace convoke::kube {
namespace {

const ResourceType kTaskType{"convoke.dev", "v1alpha1", "tasks", "Task", true};
const ResourceType kNodeType{"", "v1", "nodes", "Node", false};

TEST(ResourceType, PathsFollowTheApi) {
  EXPECT_EQ(kTaskType.path("ns", "a", "status"), "/apis/convoke.dev/v1alpha1/namespaces/ns/tasks/a/status");
  EXPECT_EQ(kTaskType.path("ns"), "/apis/convoke.dev/v1alpha1/namespaces/ns/tasks");
  EXPECT_EQ(kTaskType.path(""), "/apis/convoke.dev/v1alpha1/tasks");
  EXPECT_EQ(kNodeType.path("ignored", "n1"), "/api/v1/nodes/n1");
  EXPECT_EQ(kNodeType.api_version(), "v1");
}

TEST(ObjectKey, ReadsAsKubectlWritesIt) {
  EXPECT_EQ((ObjectKey{"ns", "a"}).str(), "ns/a");
  EXPECT_EQ((ObjectKey{"", "node"}).str(), "node");
}

TEST(ObjectMeta, FieldsOfTheWrongTypeCountAsAbsent) {
  const auto meta =
      meta_from_json(Json::parse(R"({"metadata":{"name":1,"labels":["x"],"annotations":{"a":1,"b":"2"},
      "ownerReferences":["x",{"name":"o","controller":"yes"}],"finalizers":{"a":1},"generation":"3"}})"));
  ObjectMeta expected;
  expected.annotations = {{"b", "2"}};
  expected.owner_references = {{"", "", "o", "", false, false}};
  EXPECT_EQ(meta_to_json(meta), meta_to_json(expected));
  EXPECT_EQ(meta.generation, 0);
  for (const char* text : {"{}", "[]", "null", R"({"metadata":7})"}) {
    EXPECT_EQ(meta_to_json(meta_from_json(Json::parse(text))), Json::object()) << text;
  }
}

TEST(ObjectMeta, SurvivesTheWayThereAndBack) {
  const Json metadata =
      Json::parse(R"({"namespace":"ns","name":"a","uid":"u","resourceVersion":"7","generation":2,
      "creationTimestamp":"2026-01-01T00:00:00Z","deletionTimestamp":"2026-01-02T00:00:00Z","labels":{"l":"1"},
      "annotations":{"n":"2"},"finalizers":["f"],"ownerReferences":[{"apiVersion":"v1","kind":"K","name":"o",
      "uid":"x","controller":true,"blockOwnerDeletion":true}]})");
  const auto meta = meta_from_json({{"metadata", metadata}});
  EXPECT_EQ(meta_to_json(meta), metadata);
  EXPECT_TRUE(meta.being_deleted());
  ASSERT_NE(meta.controller(), nullptr);
  EXPECT_EQ(meta.controller()->name, "o");
  EXPECT_EQ(meta.label("l"), "1");
  EXPECT_EQ(meta.label("none"), "");
}

TEST(ResourceVersionNumber, IsZeroForWhatIsNoNumber) {
  for (const char* text : {"", "x", "7x", "-1", "99999999999999999999"}) {
    EXPECT_EQ(resource_version_number(text), 0U) << text;
  }
  EXPECT_EQ(resource_version_number("18446744073709551615"), 18446744073709551615U);
}

}  // namespace
}  // namespace convoke::kube
