#include "controller/runtime/event_recorder.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "controller/kube/client_metrics.h"
#include "controller/runtime/event_aggregator.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;
using testing::HasSubstr;

const kube::ResourceType kThing{"convoke.dev", "v1alpha1", "things", "Thing", true};

class EventRecorderTest : public testing::Test {
 protected:
  EventRecorderTest() { fakes::register_builtin_types(server_); }

  void record(const std::string& name, EventType type = EventType::Warning,
              const std::string& note = "note") {
    recorder_.record({kThing, "team", name, "uid-" + name, ""}, type, "Reason", "Act", note);
    clock_.settle();
  }
  std::vector<Json> events() const { return server_.objects(kEvent); }
  std::string metrics() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }
  void expect_dropped(const std::string& reason, int count) const {
    EXPECT_THAT(metrics(), HasSubstr("convoke_events_dropped_total{reason=\"" + reason + "\"} " +
                                     std::to_string(count) + "\n"));
  }

  fakes::FakeClock clock_;
  fakes::FakeApiServer server_{clock_};
  prometheus::Registry registry_;
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  std::unique_ptr<kube::Transport> transport_ = server_.connect("events");
  kube::ClientMetrics client_metrics_{registry_, "fake"};
  kube::Client client_{*transport_, clock_, *random_, client_metrics_, {.deadline = 5s}};
  ApiEventRecorder recorder_{client_, clock_, Logger(), registry_, {.burst_per_object = 3}};
};

TEST_F(EventRecorderTest, CountersExistAtZero) {
  for (const char* reason : {"buffer_full", "object_rate", "namespace_terminating", "error", "shutdown"}) {
    expect_dropped(reason, 0);
  }
  EXPECT_THAT(metrics(), HasSubstr("convoke_events_sent_total 0\n"));
}

TEST_F(EventRecorderTest, ErrorDropsTheEventAndCountsIt) {
  recorder_.start();
  server_.fail_next({.method = "POST"}, Fault::error(500));
  record("a");
  EXPECT_TRUE(events().empty());
  expect_dropped("error", 1);
  record("b");
  EXPECT_EQ(events().size(), 1);
}

TEST_F(EventRecorderTest, NamespaceThatIsBeingTerminatedIsCountedByItself) {
  recorder_.start();
  fakes::ApiFailure failure{.code = 403, .reason = "Forbidden", .message = "being terminated"};
  failure.details["causes"] = {
      {{"reason", "NamespaceTerminating"}, {"message", "namespace team is being terminated"}}};
  server_.fail_next({.method = "POST"}, Fault::answer(failure));
  record("a");
  expect_dropped("namespace_terminating", 1);
  expect_dropped("error", 0);
}

TEST_F(EventRecorderTest, FloodOfOneObjectIsDroppedAndCounted) {
  recorder_.start();
  for (int i = 0; i < 10; ++i) record("a", EventType::Warning, std::to_string(i));
  EXPECT_EQ(events().size(), 3);
  expect_dropped("object_rate", 7);
}

TEST_F(EventRecorderTest, RecordDoesNotWaitForAServerThatHangs) {
  recorder_.start();
  server_.freeze("events", true);
  const auto before = clock_.monotonic_now();
  for (int i = 0; i < 100; ++i) record("object-" + std::to_string(i));
  EXPECT_EQ(clock_.monotonic_now(), before);
  server_.freeze("events", false);
  clock_.advance(10s);
  EXPECT_GE(events().size(), 99);
}

TEST_F(EventRecorderTest, EventThatWasTakenThoughItsAnswerWasLostIsThereOnce) {
  recorder_.start();
  server_.fail_next({.method = "POST"}, Fault::drop_answer());
  record("a");
  EXPECT_EQ(events().size(), 1);
}

TEST_F(EventRecorderTest, SeriesThatTheServerForgotIsStartedAgain) {
  recorder_.start();
  record("a");
  const auto key = kube::meta_from_json(events().at(0)).key();
  server_.remove(kEvent, key);
  record("a");
  clock_.advance(30s);
  ASSERT_EQ(events().size(), 1);
  EXPECT_EQ(events()[0]["series"]["count"], 2);
}

TEST_F(EventRecorderTest, RepeatsCostOneCreateAndFewPatches) {
  recorder_.start();
  for (int second = 0; second < 120; ++second) {
    record("a", EventType::Normal);
    clock_.advance(1s);
  }
  clock_.advance(30s);
  ASSERT_EQ(events().size(), 1);
  EXPECT_EQ(events()[0]["series"]["count"], 120);
  EXPECT_LE(server_.write_count(), 5);
}

TEST_F(EventRecorderTest, StopSendsWhatWaits) {
  recorder_.start();
  record("a", EventType::Normal);
  EXPECT_TRUE(events().empty());
  recorder_.stop(5s);
  EXPECT_EQ(events().size(), 1);
  EXPECT_THAT(metrics(), HasSubstr("convoke_events_sent_total 1\n"));
  expect_dropped("shutdown", 0);
}

TEST_F(EventRecorderTest, StopGivesUpAfterItsTimeAndCountsTheRest) {
  recorder_.start();
  server_.freeze("events", true);
  for (const char* name : {"a", "b", "c"}) record(name, EventType::Normal);
  const auto before = clock_.monotonic_now();
  recorder_.stop(1s);
  EXPECT_LE(clock_.monotonic_now() - before, 6s);  // and the request in progress
  expect_dropped("shutdown", 2);
  record("late");
  expect_dropped("shutdown", 3);
}

TEST_F(EventRecorderTest, WhatIsRecordedBeforeTheStartIsSentAfterIt) {
  record("a");
  recorder_.start();
  clock_.settle();
  EXPECT_EQ(events().size(), 1);
}

}  // namespace
}  // namespace convoke::runtime
