#include <vector>

#include "tests/fakes/api_verbs.h"
#include "tests/unit/fakes/api_fixture.h"

namespace convoke::fakes {
namespace {

class ApiList : public ApiTest {
 protected:
  std::vector<std::string> names(const RawAnswer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    std::vector<std::string> result;
    for (const auto& item : answer.body.value("items", Json::array())) {
      result.push_back(item["metadata"]["name"]);
    }
    return result;
  }
};

TEST_F(ApiList, AnOldContinueTokenIsExpired) {
  create(task("a"));
  create(task("b"));
  const auto first = api_.list(kTestTask, "ns", "limit=1");
  const std::string token = first.body["metadata"]["continue"];
  server_.compact();
  const auto second = api_.list(kTestTask, "ns", "limit=1&continue=" + token);
  EXPECT_EQ(second.status, 410);
  EXPECT_EQ(second.reason(), "Expired");
}

TEST_F(ApiList, BadSelectorsAndVersionsAreRefused) {
  EXPECT_EQ(api_.list(kTestTask, "ns", "fieldSelector=spec.title%3Da").status, 400);
  EXPECT_EQ(api_.list(kTestTask, "ns", "labelSelector=a%20b").status, 400);
  const auto future = api_.list(kTestTask, "ns", "resourceVersion=1000000");
  EXPECT_EQ(future.status, 504);
  EXPECT_EQ(future.headers.at("retry-after"), "1");
  create(task("a"));
  EXPECT_EQ(api_.list(kTestTask, "ns", "resourceVersion=1&resourceVersionMatch=Exact").status, 410);
  EXPECT_EQ(api_.list(kTestTask, "ns", "continue=x&resourceVersion=1").status, 400);
}

TEST_F(ApiList, PagesShowTheStateOfTheFirstOne) {
  for (const char* name : {"a", "b", "c"}) {
    create(task(name));
  }
  const auto first = api_.list(kTestTask, "ns", "limit=2");
  EXPECT_EQ(names(first), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(first.body["metadata"]["remainingItemCount"], 1);
  create(task("d"));
  server_.remove(kTestTask, {"ns", "c"});
  const std::string token = first.body["metadata"]["continue"];
  const auto second = api_.list(kTestTask, "ns", "limit=2&continue=" + token);
  EXPECT_EQ(names(second), (std::vector<std::string>{"c"}));
  EXPECT_EQ(second.resource_version(), first.resource_version());
  EXPECT_FALSE(second.body["metadata"].contains("continue"));
}

TEST_F(ApiList, SelectsByNamespaceLabelsAndFields) {
  create(task("a"));
  Json labelled = task("b");
  labelled["metadata"]["labels"] = {{"team", "x"}};
  create(labelled);
  Json elsewhere = named({"other", "c"});
  api_.create(kTestTask, "other", elsewhere);
  api_.merge_patch(kTestTask, {"ns", "a"}, {{"status", {{"agentName", "builder"}}}}, "status");
  EXPECT_EQ(names(api_.list(kTestTask, "")).size(), 3u);
  EXPECT_EQ(names(api_.list(kTestTask, "ns")), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(names(api_.list(kTestTask, "ns", "labelSelector=team%3Dx")), (std::vector<std::string>{"b"}));
  EXPECT_EQ(names(api_.list(kTestTask, "", "fieldSelector=status.agentName%3Dbuilder")),
            (std::vector<std::string>{"a"}));
  EXPECT_EQ(names(api_.list(kTestTask, "", "fieldSelector=metadata.name%3Dc")),
            (std::vector<std::string>{"c"}));
}

TEST_F(ApiList, ItemsNameTheirKindForCustomResourcesOnly) {
  create(task("a"));
  api_.create(kTestConfigMap, "ns", named({"ns", "c"}));
  const auto tasks = api_.list(kTestTask, "ns");
  EXPECT_EQ(tasks.body["kind"], "TaskList");
  EXPECT_EQ(tasks.body["items"][0]["kind"], "Task");
  EXPECT_FALSE(api_.list(kTestConfigMap, "ns").body["items"][0].contains("kind"));
}

TEST_F(ApiList, ACollectionCanBeDeletedBySelector) {
  create(task("a"));
  create(task("b"));
  EXPECT_EQ(api_.call("DELETE", kTestTask.path("ns") + "?fieldSelector=metadata.name%3Da").status, 200);
  EXPECT_EQ(names(api_.list(kTestTask, "ns")), (std::vector<std::string>{"b"}));
}

TEST_F(ApiList, GetReadsOneObject) {
  create(task("a"));
  EXPECT_EQ(api_.get(kTestTask, {"ns", "a"}).body, stored("a"));
  const auto missing = api_.get(kTestTask, {"ns", "b"});
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.reason(), "NotFound");
}

TEST_F(ApiList, VersionHealthAndDiscoveryAreServed) {
  EXPECT_EQ(api_.call("GET", "/version").body["minor"], "34");
  EXPECT_EQ(api_.call("GET", "/readyz").status, 200);
  EXPECT_EQ(api_.call("GET", "/apis/convoke.dev/v1alpha1").body["resources"].size(), 4u);
  EXPECT_EQ(api_.call("GET", "/apis/nobody.dev/v1").status, 404);
}

}  // namespace
}  // namespace convoke::fakes
