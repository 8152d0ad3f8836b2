#include "tests/fakes/api_watch.h"

#include <vector>

#include "tests/unit/fakes/api_fixture.h"

namespace convoke::fakes {
namespace {

using namespace std::chrono_literals;

class ApiWatch : public ApiTest {
 protected:
  RawWatch watch(const std::string& query) { return api_.watch(kTestTask, "ns", query); }
  static std::string line(const std::optional<Json>& event) {
    if (!event) {
      return "end";
    }
    return event->at("type").get<std::string>() + " " + (*event)["object"]["metadata"].value("name", "");
  }
  void set_agent(const std::string& name, const std::string& agent) {
    api_.merge_patch(kTestTask, {"ns", name}, {{"status", {{"agentName", agent}}}}, "status");
  }
};

TEST_F(ApiWatch, AResourceVersionBeforeTheHistoryIsExpiredInTheStream) {
  const std::string old = create(task("a"));
  create(task("b"));
  server_.compact();
  auto stream = watch("resourceVersion=" + old);
  EXPECT_EQ(stream.status(), 200);
  const auto event = stream.next();
  ASSERT_TRUE(event);
  EXPECT_EQ((*event)["type"], "ERROR");
  EXPECT_EQ((*event)["object"]["code"], 410);
  EXPECT_EQ((*event)["object"]["reason"], "Expired");
  EXPECT_EQ(line(stream.next()), "end");
}

TEST_F(ApiWatch, OrAsAStatusIfAskedFor) {
  const std::string old = create(task("a"));
  create(task("b"));
  server_.compact();
  server_.set_gone_as_status(true);
  auto stream = watch("resourceVersion=" + old);
  EXPECT_EQ(stream.status(), 410);
  EXPECT_EQ(stream.read_error_body()["reason"], "Expired");
  EXPECT_EQ(watch("resourceVersion=" + std::to_string(server_.revision())).status(), 200);
}

TEST_F(ApiWatch, HistoryIsBounded) {
  server_.set_history_limit(2);
  const std::string first = create(task("a"));
  const std::string second = create(task("b"));
  create(task("c"));
  create(task("d"));
  EXPECT_EQ(line(watch("resourceVersion=" + first).next()), "ERROR ");
  EXPECT_EQ(line(watch("resourceVersion=" + second).next()), "ADDED c");
}

TEST_F(ApiWatch, BadParametersAreRefusedWithAStatus) {
  EXPECT_EQ(watch("fieldSelector=spec.title%3Da").status(), 400);
  EXPECT_EQ(watch("sendInitialEvents=true").status(), 422);
  const kube::ResourceType unknown{"convoke.dev", "v1alpha1", "wishes", "Wish", true};
  EXPECT_EQ(api_.watch(unknown, "ns").status(), 404);
  server_.set_streaming_lists(false);
  EXPECT_EQ(watch("sendInitialEvents=true&resourceVersionMatch=NotOlderThan").status(), 422);
}

TEST_F(ApiWatch, ResumesAfterItsResourceVersion) {
  const std::string start = create(task("a"));
  create(task("b"));
  api_.merge_patch(kTestTask, {"ns", "a"}, {{"spec", {{"type", "other"}}}});
  api_.remove(kTestTask, {"ns", "b"});
  auto stream = watch("resourceVersion=" + start);
  EXPECT_EQ(line(stream.next()), "ADDED b");
  EXPECT_EQ(line(stream.next()), "MODIFIED a");
  const auto deleted = stream.next();
  EXPECT_EQ(line(deleted), "DELETED b");
  EXPECT_EQ((*deleted)["object"]["metadata"]["resourceVersion"], std::to_string(server_.revision()));
}

TEST_F(ApiWatch, WithoutAResourceVersionItBeginsWithWhatIsThere) {
  create(task("a"));
  auto stream = watch("");
  EXPECT_EQ(line(stream.next()), "ADDED a");
  create(task("b"));
  EXPECT_EQ(line(stream.next()), "ADDED b");
}

TEST_F(ApiWatch, InitialEventsEndWithAnAnnotatedBookmark) {
  create(task("b"));
  create(task("a"));
  auto stream = watch("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
  EXPECT_EQ(line(stream.next()), "ADDED a");
  EXPECT_EQ(line(stream.next()), "ADDED b");
  const auto bookmark = stream.next();
  EXPECT_EQ((*bookmark)["type"], "BOOKMARK");
  EXPECT_EQ((*bookmark)["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  EXPECT_EQ((*bookmark)["object"]["metadata"]["resourceVersion"], std::to_string(server_.revision()));
  create(task("c"));
  EXPECT_EQ(line(stream.next()), "ADDED c");
}

TEST_F(ApiWatch, BookmarksComeEveryMinuteAndAtTheEnd) {
  const std::string start = create(task("a"));
  auto stream = watch("allowWatchBookmarks=true&timeoutSeconds=90&resourceVersion=" + start);
  api_.create(kTestConfigMap, "ns", named({"ns", "c"}));
  const MonotonicTime begin = clock_.monotonic_now();
  const auto bookmark = stream.next();
  EXPECT_EQ(line(bookmark), "BOOKMARK ");
  EXPECT_EQ((*bookmark)["object"]["metadata"]["resourceVersion"], std::to_string(server_.revision()));
  EXPECT_FALSE((*bookmark)["object"]["metadata"].contains("annotations"));
  EXPECT_EQ(clock_.monotonic_now() - begin, 60s);
  EXPECT_EQ(line(stream.next()), "BOOKMARK ");
  EXPECT_EQ(line(stream.next()), "end");
  EXPECT_EQ(clock_.monotonic_now() - begin, 90s);
  EXPECT_FALSE(stream.error());
}

TEST_F(ApiWatch, WithoutBookmarksItJustEndsAfterItsTimeout) {
  auto stream = watch("timeoutSeconds=90&resourceVersion=1");
  const MonotonicTime begin = clock_.monotonic_now();
  EXPECT_EQ(line(stream.next()), "end");
  EXPECT_EQ(clock_.monotonic_now() - begin, 90s);
}

TEST_F(ApiWatch, AnObjectThatEntersOrLeavesTheSelectionIsAddedOrDeleted) {
  const std::string start = create(task("a"));
  auto stream = watch("fieldSelector=status.agentName%3Dme&resourceVersion=" + start);
  set_agent("a", "you");
  set_agent("a", "me");
  api_.merge_patch(kTestTask, {"ns", "a"}, {{"spec", {{"type", "other"}}}});
  set_agent("a", "you");
  EXPECT_EQ(line(stream.next()), "ADDED a");
  EXPECT_EQ(line(stream.next()), "MODIFIED a");
  const auto deleted = stream.next();
  EXPECT_EQ(line(deleted), "DELETED a");
  EXPECT_EQ((*deleted)["object"]["status"]["agentName"], "me");
  EXPECT_EQ((*deleted)["object"]["metadata"]["resourceVersion"], std::to_string(server_.revision()));
}

TEST_F(ApiWatch, AReaderIsWokenByAWrite) {
  auto stream = watch("resourceVersion=1");
  std::vector<std::string> seen;
  const auto reader = clock_.start_thread("reader", [&] {
    for (auto event = stream.next(); event; event = stream.next()) {
      seen.push_back(line(event));
    }
  });
  clock_.settle();
  EXPECT_TRUE(seen.empty());
  create(task("a"));
  clock_.settle();
  EXPECT_EQ(seen, (std::vector<std::string>{"ADDED a"}));
  stream.cancel();
  clock_.settle();
  EXPECT_EQ(stream.error()->code, ErrorCode::Cancelled);
}

TEST_F(ApiWatch, TheLastRemovalOfAFinalizerIsSeenAsADeletionOnly) {
  Json object = task("a");
  object["metadata"]["finalizers"] = {"convoke.dev/a"};
  create(object);
  api_.remove(kTestTask, {"ns", "a"});
  auto stream = watch("resourceVersion=" + std::to_string(server_.revision()));
  api_.merge_patch(kTestTask, {"ns", "a"}, {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_EQ(line(stream.next()), "DELETED a");
  create(task("b"));
  EXPECT_EQ(line(stream.next()), "ADDED b");
}

}  // namespace
}  // namespace convoke::fakes
