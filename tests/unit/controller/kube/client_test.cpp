#include "controller/kube/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "controller/kube/client_metrics.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/kube/scripted_transport.h"

namespace convoke::kube {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

const ResourceType kTasks{"convoke.dev", "v1alpha1", "tasks", "Task", true};
constexpr const char* kTasksPath = "/apis/convoke.dev/v1alpha1/namespaces/default/tasks";
const ObjectKey kKey{"default", "a"};
const Json kTask = {{"metadata", {{"name", "a"}, {"namespace", "default"}}}};

std::string status_body(int code, const std::string& reason, const std::string& message = "why") {
  return dump_json({{"kind", "Status"}, {"code", code}, {"reason", reason}, {"message", message}});
}

class Guard final : public WriteGuard {
 public:
  Status may_write() override {
    ++asked;
    if (asked > allowed) return {ErrorCode::Cancelled, "no longer the leader"};
    return {};
  }
  std::string signature() const override { return signed_with; }
  int asked = 0;
  int allowed = 1000;
  std::string signed_with;
};

class ClientTest : public testing::Test {
 protected:
  ClientOptions with_guard() {
    ClientOptions options;
    options.guard = &guard;
    return options;
  }
  Duration elapsed() const { return clock.monotonic_now() - started; }

  fakes::FakeClock clock;
  const MonotonicTime started = clock.monotonic_now();
  std::unique_ptr<Random> random = make_seeded_random(1);
  prometheus::Registry registry;
  ClientMetrics metrics{registry, "test"};
  ScriptedTransport transport;
  Guard guard;
  Client client{transport, clock, *random, metrics, with_guard()};
};

TEST_F(ClientTest, AnErrorSaysWhatWasBeingDoneToWhichObject) {
  transport.answer(403, status_body(403, "Forbidden"));
  const auto created = client.create(kTasks, kTask);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::Forbidden);
  EXPECT_EQ(created.error().message, "creating tasks.convoke.dev default/a: why");
}

TEST_F(ClientTest, AnObjectWithoutANameIsNotSent) {
  EXPECT_EQ(client.create(kTasks, Json::object()).error().code, ErrorCode::Invalid);
  EXPECT_EQ(client.update(kTasks, {{"metadata", 7}}).error().code, ErrorCode::Invalid);
  EXPECT_THAT(transport.requests(), SizeIs(0));
}

TEST_F(ClientTest, AnAnswerThatIsNoJsonIsAnError) {
  transport.answer(200, "<html>");
  const auto got = client.get(kTasks, kKey);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, StartsWith("getting tasks.convoke.dev default/a: the server's answer"));
  transport.answer(200, R"({"items":7})");
  EXPECT_FALSE(client.list(kTasks, "default"));
}

TEST_F(ClientTest, AWriteWhoseAnswerWasLostIsNotSentAgain) {
  transport.fail(ErrorCode::Unavailable);
  EXPECT_EQ(client.create(kTasks, kTask).error().code, ErrorCode::Unavailable);
  transport.answer(503, status_body(503, "ServiceUnavailable"), {{"retry-after", "1"}});
  EXPECT_EQ(client.update(kTasks, kTask).error().code, ErrorCode::Unavailable);
  EXPECT_THAT(transport.requests(), SizeIs(2));
}

TEST_F(ClientTest, AGetIsSentAgainAfterABrokenConnectionUntilTheDeadline) {
  for (int i = 0; i < 100; ++i) transport.fail(ErrorCode::Unavailable);
  EXPECT_EQ(client.get(kTasks, kKey).error().code, ErrorCode::Unavailable);
  EXPECT_GT(transport.requests().size(), 10U);
  EXPECT_LT(transport.requests().size(), 50U);
  EXPECT_LE(elapsed(), 30s);
  EXPECT_LT(transport.last().deadline, 5s);
}

TEST_F(ClientTest, AGetSucceedsAtASecondTry) {
  transport.fail(ErrorCode::Unavailable);
  transport.answer(200, R"({"kind":"Task"})");
  EXPECT_TRUE(client.get(kTasks, kKey));
  EXPECT_LE(elapsed(), 50ms);
}

TEST_F(ClientTest, AnInternalErrorOfTheServerIsNotAskedForAgain) {
  transport.answer(500, status_body(500, "InternalError"));
  EXPECT_EQ(client.get(kTasks, kKey).error().code, ErrorCode::Unavailable);
  EXPECT_THAT(transport.requests(), SizeIs(1));
}

TEST_F(ClientTest, AThrottledWriteIsSentAgainAfterExactlyTheTimeThatTheServerAskedFor) {
  transport.answer(429, status_body(429, "TooManyRequests"), {{"retry-after", "3"}});
  transport.answer(201, "{}");
  EXPECT_TRUE(client.create(kTasks, kTask));
  EXPECT_EQ(elapsed(), 3s);
  EXPECT_EQ(guard.asked, 2);
}

TEST_F(ClientTest, AThrottledRequestThatCannotMakeTheDeadlineReturnsAtOnce) {
  transport.answer(429, status_body(429, "TooManyRequests"), {{"retry-after", "60"}});
  const auto created = client.create(kTasks, kTask);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::Throttled);
  EXPECT_EQ(created.error().retry_after, Duration(60s));
  EXPECT_EQ(elapsed(), 0s);
}

TEST_F(ClientTest, AGetWaitsOutA503ThatSaysForHowLong) {
  transport.answer(503, "", {{"retry-after", "2"}});
  transport.answer(200, "{}");
  EXPECT_TRUE(client.get(kTasks, kKey));
  EXPECT_EQ(elapsed(), 2s);
  transport.answer(503, "");
  EXPECT_FALSE(client.get(kTasks, kKey));
}

TEST_F(ClientTest, ShutdownEndsTheWaitBetweenTwoAttempts) {
  transport.answer(429, "", {{"retry-after", "20"}});
  std::optional<ErrorCode> outcome;
  const auto caller = clock.start_thread("caller", [&] { outcome = client.get(kTasks, kKey).error().code; });
  clock.settle();
  EXPECT_EQ(outcome, std::nullopt);
  client.shutdown();
  caller->join();
  EXPECT_EQ(outcome, ErrorCode::Cancelled);
  EXPECT_EQ(elapsed(), 0s);
}

TEST_F(ClientTest, TheGuardIsAskedBeforeEachAttemptOfAWriteAndNeverForAGet) {
  transport.answer(200, "{}");
  EXPECT_TRUE(client.get(kTasks, kKey));
  EXPECT_EQ(guard.asked, 0);
  guard.allowed = 1;
  transport.answer(429, "", {{"retry-after", "1"}});
  const auto removed = client.remove(kTasks, kKey);
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().message, HasSubstr("no longer the leader"));
  EXPECT_THAT(transport.requests(), SizeIs(2));
}

TEST_F(ClientTest, AFailedTestOfAJsonPatchIsAConflict) {
  const std::string refusal =
      status_body(422, "Invalid", "the server rejected our request due to an error in our request");
  const Json with_test = Json::parse(R"([{"op":"test","path":"/a","value":1},{"op":"remove","path":"/a"}])");
  const Json without = Json::parse(R"([{"op":"remove","path":"/a"}])");
  for (int i = 0; i < 2; ++i) transport.answer(422, refusal);
  EXPECT_EQ(client.patch(kTasks, kKey, with_test, {PatchType::Json}).error().code, ErrorCode::Conflict);
  EXPECT_EQ(client.patch(kTasks, kKey, without, {PatchType::Json}).error().code, ErrorCode::Invalid);
  transport.answer(422, status_body(422, "Invalid", "Task \"a\" is invalid: spec.priority: too large"));
  EXPECT_EQ(client.patch(kTasks, kKey, with_test, {PatchType::Json}).error().code, ErrorCode::Invalid);
}

TEST_F(ClientTest, AWatchThatIsRefusedIsAnErrorWithTheServersReason) {
  transport.answer(410, status_body(410, "Expired", "too old"));
  const auto watched = client.watch(kTasks, "", {});
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().code, ErrorCode::Expired);
  EXPECT_EQ(watched.error().message, "watching tasks.convoke.dev: too old");
}

TEST_F(ClientTest, CreatePostsTheCompletedObject) {
  transport.answer(201, R"({"kind":"Task","metadata":{"name":"a"}})");
  const auto created = client.create(kTasks, kTask);
  ASSERT_TRUE(created);
  EXPECT_EQ(transport.last().method, "POST");
  EXPECT_EQ(transport.last().path, std::string(kTasksPath) + "?fieldManager=convoke");
  EXPECT_EQ(transport.last().content_type, "application/json");
  const auto body = parse_json(transport.last().body);
  EXPECT_EQ(body->at("apiVersion"), "convoke.dev/v1alpha1");
  EXPECT_EQ(body->at("kind"), "Task");
}

TEST_F(ClientTest, UpdatesGoToTheObjectAndToItsStatus) {
  for (int i = 0; i < 2; ++i) transport.answer(200, "{}");
  EXPECT_TRUE(client.update(kTasks, kTask));
  EXPECT_EQ(transport.last().method, "PUT");
  EXPECT_EQ(transport.last().path, std::string(kTasksPath) + "/a?fieldManager=convoke");
  EXPECT_TRUE(client.update_status(kTasks, kTask));
  EXPECT_EQ(transport.last().path, std::string(kTasksPath) + "/a/status?fieldManager=convoke");
}

TEST_F(ClientTest, WritesAreSignedByTheGuard) {
  for (int i = 0; i < 4; ++i) transport.answer(200, "{}");
  guard.signed_with = "/7";
  EXPECT_TRUE(client.create(kTasks, kTask));
  EXPECT_THAT(transport.last().path, HasSubstr("fieldManager=convoke%2F7"));
  EXPECT_TRUE(client.update_status(kTasks, kTask));
  EXPECT_THAT(transport.last().path, HasSubstr("fieldManager=convoke%2F7"));
  EXPECT_TRUE(client.patch(kTasks, kKey, Json::object(), {}));
  EXPECT_THAT(transport.last().path, HasSubstr("fieldManager=convoke%2F7"));
  EXPECT_TRUE(client.patch(kTasks, kKey, kTask, {PatchType::Apply, "", "someone", true}));
  EXPECT_THAT(transport.last().path, HasSubstr("fieldManager=someone"));
}

TEST_F(ClientTest, EachKindOfPatchHasItsContentType) {
  for (int i = 0; i < 3; ++i) transport.answer(200, "{}");
  EXPECT_TRUE(client.patch(kTasks, kKey, Json::array(), {PatchType::Json, "status"}));
  EXPECT_EQ(transport.last().content_type, "application/json-patch+json");
  EXPECT_EQ(transport.last().path, std::string(kTasksPath) + "/a/status?fieldManager=convoke");
  EXPECT_TRUE(client.patch(kTasks, kKey, Json::object(), {}));
  EXPECT_EQ(transport.last().content_type, "application/merge-patch+json");
  EXPECT_EQ(transport.last().body, "{}");
  EXPECT_TRUE(client.patch(kTasks, kKey, kTask, {PatchType::Apply, "", "someone", true}));
  EXPECT_EQ(transport.last().content_type, "application/apply-patch+yaml");
  EXPECT_EQ(transport.last().path, std::string(kTasksPath) + "/a?fieldManager=someone&force=true");
  EXPECT_EQ(parse_json(transport.last().body)->at("kind"), "Task");
}

TEST_F(ClientTest, DeleteCarriesItsPreconditions) {
  transport.answer(202, "{}");
  EXPECT_TRUE(client.remove(kTasks, kKey, {"u1", "7", Propagation::Foreground}));
  EXPECT_EQ(transport.last().method, "DELETE");
  EXPECT_EQ(*parse_json(transport.last().body),
            Json::parse(R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground",
                            "preconditions":{"uid":"u1","resourceVersion":"7"}})"));
}

TEST_F(ClientTest, ListCompletesItsItemsAndEncodesItsQuery) {
  transport.answer(200, R"({"kind":"TaskList","metadata":{"resourceVersion":"9","continue":"more"},
                            "items":[{"metadata":{"name":"a"}},7]})");
  ListOptions options;
  options.label_selector = "a in (b, c),d!=ü";
  options.limit = 2;
  const auto page = client.list(kTasks, "default", options);
  ASSERT_TRUE(page);
  EXPECT_EQ(transport.last().path,
            std::string(kTasksPath) + "?labelSelector=a%20in%20%28b%2C%20c%29%2Cd%21%3D%C3%BC&limit=2");
  EXPECT_EQ(page->resource_version, "9");
  EXPECT_EQ(page->continue_token, "more");
  ASSERT_THAT(page->items, SizeIs(1));
  EXPECT_EQ(page->items[0].at("kind"), "Task");
  EXPECT_EQ(page->items[0].at("apiVersion"), "convoke.dev/v1alpha1");
}

TEST_F(ClientTest, AnEmptyListMayBeNull) {
  transport.answer(200, R"({"metadata":{"resourceVersion":"9"},"items":null})");
  const auto page = client.list(kTasks, "");
  ASSERT_TRUE(page);
  EXPECT_THAT(page->items, SizeIs(0));
}

TEST_F(ClientTest, WatchAsksForBookmarksAndMayStreamTheList) {
  transport.answer(200, "event\n");
  WatchOptions options;
  options.field_selector = "status.agentName=b";
  options.send_initial_events = true;
  const auto stream = client.watch(kTasks, "default", options);
  ASSERT_TRUE(stream);
  EXPECT_EQ(*(*stream)->read(), "event\n");
  EXPECT_EQ(transport.last().path, std::string(kTasksPath) +
                                       "?watch=true&allowWatchBookmarks=true&timeoutSeconds=290"
                                       "&fieldSelector=status.agentName%3Db&sendInitialEvents=true"
                                       "&resourceVersionMatch=NotOlderThan");
}

}  // namespace
}  // namespace convoke::kube
