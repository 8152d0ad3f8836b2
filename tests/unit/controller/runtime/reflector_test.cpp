#include "controller/runtime/reflector.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "controller/kube/client_metrics.h"
#include "controller/runtime/reflector_metrics.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/runtime/kept_log.h"
#include "tests/unit/controller/runtime/note.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const kube::ResourceType kUnknown{"example.com", "v1", "gadgets", "Gadget", true};
const std::string kMe = "operator";

class ReflectorTest : public ::testing::Test {
 protected:
  ReflectorTest() { fakes::register_builtin_types(server); }

  Reflector& make_reflector(ReflectorSource source = {kConfigMap}) {
    reflector = std::make_unique<Reflector>(client, clock, *random,
                                            Logger(log, clock, LogLevel::Debug, LogFormat::Json),
                                            std::move(source), std::make_unique<StoreSink<Note>>(store));
    return *reflector;
  }

  void start(ReflectorSource source = {kConfigMap}) {
    make_reflector(std::move(source)).start();
    clock.settle();
  }

  void write(const std::string& name, const std::string& text) {
    server.put(kConfigMap, note_json(name, text));
  }
  void erase(const std::string& name) { server.remove(kConfigMap, {"default", name}); }

  std::vector<std::string> notes() const {
    std::vector<std::string> result;
    for (const auto& note : store.list()) {
      result.push_back(note->meta.name + "=" + note->text);
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  std::size_t requests_during(Duration duration) {
    server.forget_requests();
    clock.advance(duration);
    return server.request_count(kMe);
  }

  std::vector<std::string> warnings() const { return log->lines(LogLevel::Warn); }

  fakes::FakeClock clock;
  fakes::FakeApiServer server{clock};
  std::unique_ptr<kube::Transport> transport = server.connect(kMe);
  std::unique_ptr<Random> random = make_seeded_random(7);
  prometheus::Registry registry;
  kube::ClientMetrics metrics{registry, "fake"};
  kube::Client client{*transport, clock, *random, metrics};
  std::shared_ptr<KeptLog> log = std::make_shared<KeptLog>();
  Store<Note> store;
  std::unique_ptr<Reflector> reflector;
};

// --- What other people's objects must not do ---

TEST_F(ReflectorTest, AnObjectThatIsNestedFarTooDeeplyStopsNothing) {
  const auto deep = [](const std::string& name) {
    Json object = note_json(name, "deep");
    Json value = 1;
    for (int i = 0; i < 500; ++i) value = Json{{"a", std::move(value)}};
    object["deep"] = std::move(value);
    return object;
  };
  server.set_streaming_lists(false);
  server.put(kConfigMap, deep("listed"));
  start();
  EXPECT_TRUE(reflector->synced());
  server.put(kConfigMap, deep("watched"));
  write("other", "fine");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("listed=deep", "other=fine", "watched=deep"));
  EXPECT_THAT(warnings(), IsEmpty());
}

// --- What a person must hear of ---

TEST_F(ReflectorTest, AKindThatDoesNotExistIsSaidOnceAndTriedAgainCalmly) {
  start({kUnknown});
  EXPECT_FALSE(reflector->synced());
  EXPECT_THAT(reflector->last_error(), AllOf(HasSubstr("gadgets.example.com"), HasSubstr("CRD")));
  clock.advance(10min);
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("CRD")));
  const auto requests = requests_during(10min);
  EXPECT_GE(requests, 20U);
  EXPECT_LE(requests, 45U);

  server.register_type(kUnknown);
  clock.advance(31s);
  EXPECT_TRUE(reflector->synced());
  EXPECT_EQ(reflector->last_error(), "");
}

TEST_F(ReflectorTest, AMissingPermissionIsSaidWithTheVerbsThatAreNeeded) {
  fakes::ApiFailure forbidden;
  forbidden.code = 403;
  forbidden.reason = "Forbidden";
  server.fail_next({.method = "WATCH"}, Fault::answer(forbidden), 3);
  start();
  EXPECT_THAT(reflector->last_error(), HasSubstr("get, list and watch"));
  clock.advance(1min);
  EXPECT_TRUE(reflector->synced());
  EXPECT_EQ(reflector->last_error(), "");
  EXPECT_THAT(warnings(), ElementsAre(HasSubstr("no permission")));
}

TEST_F(ReflectorTest, AnotherFailureIsSaidAgain) {
  server.fail_next({.method = "WATCH"}, Fault::error(503), 2);
  server.fail_next({.method = "WATCH"}, Fault::drop_request(), 2);
  start();
  clock.advance(1min);
  EXPECT_TRUE(reflector->synced());
  EXPECT_EQ(warnings().size(), 2U);
}

TEST_F(ReflectorTest, AnObjectThatCannotBeTakenInStopsNoOther) {
  write("a", "unreadable");
  write("b", "two");
  start();
  EXPECT_TRUE(reflector->synced());
  write("c", "unreadable");
  write("d", "four");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("b=two", "d=four"));
  EXPECT_THAT(log->lines(LogLevel::Error),
              ElementsAre(AllOf(HasSubstr("\"a\""), HasSubstr("cannot be read")), HasSubstr("\"c\"")));
}

// --- Not spinning ---

TEST_F(ReflectorTest, AWatchThatEndsAtOnceDoesNotSpin) {
  start();
  server.fail_next({.method = "WATCH"}, Fault::cut_stream(0), 1000);
  server.break_watches();
  EXPECT_LE(requests_during(10min), 45U);
  server.clear_faults();
  write("a", "one");
  clock.advance(31s);
  EXPECT_THAT(notes(), ElementsAre("a=one"));
}

TEST_F(ReflectorTest, AServerThatAlwaysSaysGoneIsNotAskedInALoop) {
  start();
  server.fail_next({.method = "WATCH"}, Fault::gone(), 1000);
  server.break_watches();
  EXPECT_LE(requests_during(10min), 45U);
}

TEST_F(ReflectorTest, ARetryAfterIsObeyed) {
  server.fail_next({.method = "WATCH"}, Fault::throttle(20s));
  start();
  clock.advance(19s);
  EXPECT_FALSE(reflector->synced());
  clock.advance(2s);
  EXPECT_TRUE(reflector->synced());
}

// --- The complete list ---

TEST_F(ReflectorTest, AStreamingListIsOneRequest) {
  for (int i = 0; i < 1200; ++i) {
    write("note-" + std::to_string(i), "x");
  }
  start();
  EXPECT_TRUE(reflector->synced());
  EXPECT_EQ(store.size(), 1200U);
  EXPECT_EQ(server.request_count(kMe), 1U);
}

TEST_F(ReflectorTest, WithoutStreamingListsThePagesAreFetched) {
  server.set_streaming_lists(false);
  for (int i = 0; i < 1200; ++i) {
    write("note-" + std::to_string(i), "x");
  }
  start();
  EXPECT_TRUE(reflector->synced());
  EXPECT_EQ(store.size(), 1200U);
  EXPECT_EQ(server.request_count(kMe), 5U);  // the refused stream, three pages, the watch
  write("late", "y");
  clock.settle();
  EXPECT_EQ(store.size(), 1201U);
}

TEST_F(ReflectorTest, AContinueTokenThatExpiresStartsTheListAgain) {
  server.set_streaming_lists(false);
  for (int i = 0; i < 1200; ++i) {
    write("note-" + std::to_string(i), "x");
  }
  server.fail_next({.method = "GET", .path = "continue="}, Fault::gone());
  start();
  clock.advance(1s);
  EXPECT_TRUE(reflector->synced());
  EXPECT_EQ(store.size(), 1200U);
}

TEST_F(ReflectorTest, AStreamingListThatIsCutFallsBackToPages) {
  for (int i = 0; i < 10; ++i) {
    write("note-" + std::to_string(i), "x");
  }
  server.fail_next({.method = "WATCH"}, Fault::cut_stream(700));
  start();
  EXPECT_FALSE(reflector->synced());
  EXPECT_EQ(store.size(), 0U);
  clock.advance(1s);
  EXPECT_TRUE(reflector->synced());
  EXPECT_EQ(store.size(), 10U);
}

TEST_F(ReflectorTest, OnlyTheFirstListIsInitial) {
  std::vector<std::string> seen;
  store.add_handler([&](const Store<Note>::Change& change) {
    seen.push_back((change.after ? change.after : change.before)->meta.name +
                   (change.initial ? " initial" : ""));
  });
  write("a", "one");
  start();
  write("b", "two");
  clock.settle();
  EXPECT_THAT(seen, ElementsAre("a initial", "b"));
}

TEST_F(ReflectorTest, SelectorsNarrowWhatIsHeld) {
  write("a", "one");
  write("b", "two");
  start({.type = kConfigMap, .namespace_ = "default", .label_selector = "text=two"});
  EXPECT_THAT(notes(), ElementsAre("b=two"));
  write("b", "three");
  clock.settle();
  EXPECT_THAT(notes(), IsEmpty());
  write("b", "two");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("b=two"));
}

// --- Watching ---

TEST_F(ReflectorTest, AdditionsChangesAndRemovalsArrive) {
  write("a", "one");
  start();
  write("b", "two");
  write("a", "three");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("a=three", "b=two"));
  erase("a");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("b=two"));
}

TEST_F(ReflectorTest, EventsArriveWhereverTheirLinesAreCut) {
  server.set_chunk_bytes(7);
  write("a", "one");
  start();
  write("b", "two");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("a=one", "b=two"));
}

TEST_F(ReflectorTest, ABrokenWatchGoesOnFromWhereItWas) {
  write("a", "one");
  start();
  write("b", "two");
  clock.settle();
  server.forget_requests();
  server.break_watches();
  write("c", "three");
  erase("a");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("b=two", "c=three"));
  EXPECT_EQ(server.request_count(kMe), 1U);
  EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(ReflectorTest, AWatchThatIsCutInTheMiddleOfALineLosesNothing) {
  start();
  write("a", "one");
  clock.settle();
  server.fail_next({.method = "WATCH"}, Fault::cut_stream(40));
  server.break_watches();
  write("b", "two");
  clock.advance(1s);
  EXPECT_THAT(notes(), ElementsAre("a=one", "b=two"));
}

TEST_F(ReflectorTest, EventsThatAreDeliveredTwiceAreHarmless) {
  start();
  server.repeat_next_events(10);
  write("a", "one");
  write("a", "two");
  erase("a");
  write("a", "three");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("a=three"));
}

TEST_F(ReflectorTest, ABookmarkMovesThePlaceToGoOnFrom) {
  start();
  server.put({"batch", "v1", "jobs", "Job", true},
             {{"metadata", {{"namespace", "default"}, {"name", "other"}}}});
  clock.advance(4min);  // bookmarks come each minute
  server.compact();     // the place where the watch began is forgotten, the bookmark's is not
  server.forget_requests();
  server.break_watches();
  write("a", "one");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("a=one"));
  EXPECT_EQ(server.request_count(kMe), 1U);
}

TEST_F(ReflectorTest, AQuietWatchIsRenewedBeforeItsEndForADay) {
  start();
  const auto requests = requests_during(24h);
  EXPECT_GE(requests, 290U);
  EXPECT_LE(requests, 390U);
  EXPECT_THAT(warnings(), IsEmpty());
  write("a", "one");
  clock.settle();
  EXPECT_THAT(notes(), ElementsAre("a=one"));
}

// --- Gone ---

class GoneTest : public ReflectorTest, public ::testing::WithParamInterface<bool> {};

TEST_P(GoneTest, AfterACompactionTheListIsReadAgain) {
  server.set_gone_as_status(GetParam());
  write("a", "one");
  write("b", "two");
  start();
  server.partition(kMe, true);
  erase("a");
  write("c", "three");
  server.compact();
  clock.advance(1s);
  EXPECT_THAT(notes(), ElementsAre("a=one", "b=two"));
  server.partition(kMe, false);
  clock.advance(1min);
  EXPECT_THAT(notes(), ElementsAre("b=two", "c=three"));
  EXPECT_EQ(reflector->last_error(), "");
}

INSTANTIATE_TEST_SUITE_P(AsStatusAndInStream, GoneTest, ::testing::Bool());

// --- Start and stop ---

TEST_F(ReflectorTest, ItsStateSaysHowLongItHasHeardNothingAndHowOftenItFailed) {
  make_reflector({kConfigMap});
  EXPECT_FALSE(reflector->state().synced);
  server.fail_next({.method = "WATCH"}, Fault::error(503), 1);
  reflector->start();
  clock.advance(1min);
  EXPECT_TRUE(reflector->state().synced);
  EXPECT_EQ(reflector->state().failures, 1U);
  EXPECT_EQ(reflector->state().lists, 1U);
  const MonotonicTime heard_at = reflector->state().heard_at;
  clock.advance(10s);
  write("a", "one");
  clock.settle();
  EXPECT_GT(reflector->state().heard_at, heard_at);
}

TEST_F(ReflectorTest, TheMetricsOfAResourceAreTheWorstAndTheSumOfItsReflectors) {
  start({kConfigMap});
  const auto well = std::move(reflector);
  make_reflector({kConfigMap, "other"});
  const auto families = ReflectorMetrics(clock, {well.get(), reflector.get()}).Collect();
  ASSERT_EQ(families.size(), 4U);
  for (const auto& family : families) {
    ASSERT_EQ(family.metric.size(), 1U) << family.name;
    EXPECT_EQ(family.metric[0].label.at(0).value, "configmaps") << family.name;
  }
  EXPECT_EQ(families[0].name, "convoke_cache_synced");
  EXPECT_EQ(families[0].metric[0].gauge.value, 0);
  EXPECT_EQ(families[2].name, "convoke_cache_lists_total");
  EXPECT_EQ(families[2].metric[0].counter.value, 1);
}

TEST_F(ReflectorTest, WaitingForTheListEndsAtTheDeadline) {
  start({kUnknown});
  EXPECT_FALSE(reflector->wait_synced(5s));
}

TEST_F(ReflectorTest, WaitingForTheListEndsWhenItIsThere) {
  server.set_latency(3s);
  make_reflector().start();
  const MonotonicTime before = clock.monotonic_now();
  EXPECT_TRUE(reflector->wait_synced(1min));
  EXPECT_EQ(clock.monotonic_now() - before, 3s);
}

TEST_F(ReflectorTest, StopEndsAQuietWatchAndABackoffAtOnce) {
  for (const kube::ResourceType& type : {kConfigMap, kUnknown}) {
    start({type});
    clock.advance(2min);
    const MonotonicTime before = clock.monotonic_now();
    reflector->stop();
    reflector->stop();
    EXPECT_EQ(clock.monotonic_now(), before);
    EXPECT_EQ(server.open_watches(), 0U);
    EXPECT_FALSE(reflector->wait_synced(1min) && !reflector->synced());
  }
}

TEST_F(ReflectorTest, StopWhileARequestHangsEndsWithItsDeadline) {
  server.freeze(kMe, true);
  start();
  const MonotonicTime before = clock.monotonic_now();
  reflector->stop();
  EXPECT_LE(clock.monotonic_now() - before, 30s);
}

TEST_F(ReflectorTest, AReflectorThatWasNeverStartedStops) {
  make_reflector().stop();
  EXPECT_FALSE(reflector->wait_synced(1min));
}

}  // namespace
}  // namespace convoke::runtime
