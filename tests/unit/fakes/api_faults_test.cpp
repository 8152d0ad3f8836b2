#include "tests/fakes/api_faults.h"

#include "tests/unit/fakes/api_fixture.h"

namespace convoke::fakes {
namespace {

using namespace std::chrono_literals;

class ApiFaults : public ApiTest {
 protected:
  RawWatch watch(const std::string& query = "resourceVersion=1") {
    return api_.watch(kTestTask, "ns", query);
  }
};

TEST_F(ApiFaults, ADroppedRequestWasNotCarriedOut) {
  server_.fail_next({.method = "POST"}, Fault::drop_request());
  const auto answer = api_.create(kTestTask, "ns", task("a"));
  EXPECT_EQ(answer.error->code, ErrorCode::Unavailable);
  EXPECT_TRUE(stored("a").is_null());
  ASSERT_EQ(server_.writes().size(), 1u);
  EXPECT_EQ(server_.writes()[0].status, 0);
  create(task("a"));
}

TEST_F(ApiFaults, ADroppedAnswerWasCarriedOut) {
  server_.fail_next({.path = "/tasks"}, Fault::drop_answer());
  const auto answer = api_.create(kTestTask, "ns", task("a"));
  EXPECT_EQ(answer.error->code, ErrorCode::Unavailable);
  EXPECT_FALSE(stored("a").is_null());
  EXPECT_EQ(server_.writes()[0].status, 201);
  EXPECT_FALSE(server_.writes()[0].was_answered);
}

TEST_F(ApiFaults, ScriptedAnswersComeAsOftenAsAskedFor) {
  server_.fail_next({.method = "GET"}, Fault::throttle(1500ms), 2);
  server_.fail_next({.method = "GET"}, Fault::error(503));
  for (int i = 0; i < 2; ++i) {
    const auto answer = api_.get(kTestTask, {"ns", "a"});
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.headers.at("retry-after"), "2");
  }
  EXPECT_EQ(api_.get(kTestTask, {"ns", "a"}).status, 503);
  EXPECT_EQ(api_.get(kTestTask, {"ns", "a"}).status, 404);
  EXPECT_EQ(server_.faults_left(), 0u);
}

TEST_F(ApiFaults, AMatcherChoosesMethodPathAndClient) {
  server_.fail_next({.method = "PUT", .path = "/status", .client = "other"}, Fault::conflict());
  create(task("a"));
  EXPECT_EQ(api_.put(kTestTask, {"ns", "a"}, stored("a"), "status").status, 200);
  const auto other = server_.connect("other");
  EXPECT_EQ(RawApi(*other).put(kTestTask, {"ns", "a"}, stored("a")).status, 200);
  EXPECT_EQ(RawApi(*other).put(kTestTask, {"ns", "a"}, stored("a"), "status").status, 409);
}

TEST_F(ApiFaults, AWatchCanBeAnsweredWithGone) {
  server_.fail_next({.method = "WATCH"}, Fault::gone());
  auto stream = watch();
  EXPECT_EQ(stream.status(), 410);
  EXPECT_EQ(stream.read_error_body()["code"], 410);
  EXPECT_EQ(watch().status(), 200);
}

TEST_F(ApiFaults, AStreamIsCutInTheMiddleOfALine) {
  server_.fail_next({.method = "WATCH"}, Fault::cut_stream(25));
  auto stream = watch();
  create(task("a"));
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.error()->code, ErrorCode::Unavailable);
  EXPECT_EQ(stream.rest().size(), 25u);
}

TEST_F(ApiFaults, ReadsCanBeKeptSmall) {
  server_.set_chunk_bytes(7);
  auto stream = watch();
  create(task("a"));
  EXPECT_EQ((*stream.next())["type"], "ADDED");
}

TEST_F(ApiFaults, WatchesAreClosedOrBroken) {
  auto closed = watch();
  server_.close_watches("client");
  EXPECT_FALSE(closed.next());
  EXPECT_FALSE(closed.error());
  auto broken = watch();
  EXPECT_EQ(server_.open_watches(), 1u);
  server_.break_watches();
  EXPECT_FALSE(broken.next());
  EXPECT_EQ(broken.error()->code, ErrorCode::Unavailable);
  EXPECT_EQ(server_.open_watches(), 0u);
}

TEST_F(ApiFaults, EventsCanBeDeliveredTwice) {
  server_.repeat_next_events(1);
  auto stream = watch();
  create(task("a"));
  create(task("b"));
  for (const char* name : {"a", "a", "b"}) {
    EXPECT_EQ((*stream.next())["object"]["metadata"]["name"], name);
  }
}

TEST_F(ApiFaults, APartitionedClientIsRefusedAndItsWatchesBreak) {
  auto stream = watch();
  server_.partition("client", true);
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.error()->code, ErrorCode::Unavailable);
  EXPECT_EQ(api_.create(kTestTask, "ns", task("a")).error->code, ErrorCode::Unavailable);
  EXPECT_TRUE(stored("a").is_null());
  const auto other = server_.connect("other");
  EXPECT_EQ(RawApi(*other).create(kTestTask, "ns", task("b")).status, 201);
  server_.partition("client", false);
  create(task("a"));
}

TEST_F(ApiFaults, AFrozenClientTimesOutAndItsWatchesGoSilent) {
  auto stream = watch();
  server_.freeze("client", true);
  const MonotonicTime begin = clock_.monotonic_now();
  EXPECT_EQ(api_.create(kTestTask, "ns", task("a")).error->code, ErrorCode::Timeout);
  EXPECT_EQ(clock_.monotonic_now() - begin, 30s);
  server_.put(kTestTask, task("b"));
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.error()->code, ErrorCode::Unavailable);
  EXPECT_EQ(clock_.monotonic_now() - begin, 305s);
}

TEST_F(ApiFaults, AThawDeliversWhatWasHeldBack) {
  auto stream = watch();
  server_.freeze("client", true);
  server_.put(kTestTask, task("b"));
  int status = 0;
  const auto writer =
      clock_.start_thread("writer", [&] { status = api_.create(kTestTask, "ns", task("a")).status; });
  clock_.advance(10s);
  EXPECT_EQ(status, 0);
  server_.freeze("client", false);
  clock_.settle();
  EXPECT_EQ(status, 201);
  EXPECT_EQ((*stream.next())["object"]["metadata"]["name"], "b");
}

TEST_F(ApiFaults, AHeldRequestIsCarriedOutWhenReleased) {
  const auto hold = server_.hold_next({.method = "POST"});
  int status = 0;
  const auto writer =
      clock_.start_thread("writer", [&] { status = api_.create(kTestTask, "ns", task("a")).status; });
  EXPECT_FALSE(hold->reached());
  clock_.settle();
  EXPECT_TRUE(hold->reached());
  EXPECT_TRUE(stored("a").is_null());
  hold->release();
  clock_.settle();
  EXPECT_EQ(status, 201);
}

TEST_F(ApiFaults, AHeldAnswerComesAfterTheWriteAndMayComeTooLate) {
  const auto hold = server_.hold_next({.method = "POST"}, HoldPoint::BeforeAnswering);
  RawAnswer answer;
  const auto writer =
      clock_.start_thread("writer", [&] { answer = api_.create(kTestTask, "ns", task("a")); });
  clock_.settle();
  EXPECT_FALSE(stored("a").is_null());
  clock_.advance(31s);
  EXPECT_EQ(answer.error->code, ErrorCode::Timeout);
}

TEST_F(ApiFaults, AShutDownConnectionEndsItsCallsAndStreams) {
  const auto hold = server_.hold_next({.method = "POST"});
  auto stream = watch();
  RawAnswer answer;
  const auto writer =
      clock_.start_thread("writer", [&] { answer = api_.create(kTestTask, "ns", task("a")); });
  clock_.settle();
  transport_->shutdown();
  clock_.settle();
  EXPECT_EQ(answer.error->code, ErrorCode::Cancelled);
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.error()->code, ErrorCode::Cancelled);
  EXPECT_EQ(api_.get(kTestTask, {"ns", "a"}).error->code, ErrorCode::Cancelled);
  EXPECT_TRUE(stored("a").is_null());
}

TEST_F(ApiFaults, LatencyPassesOnTheClock) {
  server_.set_latency(20ms);
  const MonotonicTime begin = clock_.monotonic_now();
  create(task("a"));
  EXPECT_EQ(clock_.monotonic_now() - begin, 40ms);
}

TEST_F(ApiFaults, InterleavingLetsOthersGoFirst) {
  server_.set_interleaving(true);
  std::string order;
  const auto first = clock_.start_thread("first", [&] {
    create(task("a"));
    order += "a";
  });
  const auto second = clock_.start_thread("second", [&] { order += "b"; });
  clock_.settle();
  EXPECT_EQ(order, "ba");
}

TEST_F(ApiFaults, RequestsAreCountedByClient) {
  const auto other = server_.connect("other");
  create(task("a"));
  api_.get(kTestTask, {"ns", "a"});
  RawApi(*other).remove(kTestTask, {"ns", "a"});
  EXPECT_EQ(server_.write_count("client"), 1u);
  EXPECT_EQ(server_.write_count(), 2u);
  EXPECT_EQ(server_.request_count("client"), 2u);
  EXPECT_EQ(server_.request_count(), 3u);
  const auto last = server_.writes().back();
  EXPECT_EQ(last.client, "other");
  EXPECT_EQ(last.method, "DELETE");
  EXPECT_EQ(last.path, "/apis/convoke.dev/v1alpha1/namespaces/ns/tasks/a");
  server_.forget_requests();
  EXPECT_EQ(server_.request_count(), 0u);
}

}  // namespace
}  // namespace convoke::fakes
