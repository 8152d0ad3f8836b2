#include "reconcilers/workflow/cloud_event.h"

#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::workflow {
namespace {

using Headers = std::map<std::string, std::string>;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const Json kEvent = {{"specversion", "1.0"}, {"id", "1"}, {"source", "/repo"}, {"type", "push"}};
const Headers kStructured = {{"content-type", "application/cloudevents+json; charset=utf-8"}};
const Headers kBatch = {{"content-type", "application/cloudevents-batch+json"}};

Json event(const Json& more) {
  Json result = kEvent;
  result.update(more);
  return result;
}

Headers binary(const Headers& more = {}) {
  Headers headers = {{"ce-specversion", "1.0"}, {"ce-id", "1"}, {"ce-source", "/repo"}, {"ce-type", "push"}};
  for (const auto& [name, value] : more) {
    headers[name] = value;
  }
  return headers;
}

Json read_one(const Headers& headers, const std::string& body) {
  const auto events = read_cloud_events(headers, body);
  return events && events->size() == 1 ? events->front().json
                                       : Json(events ? "several" : events.error().message);
}

struct EventRefusal {
  int status;
  std::string message;
};

EventRefusal refusal(const Headers& headers, const std::string& body) {
  const auto events = read_cloud_events(headers, body);
  return events ? EventRefusal{0, "taken"} : EventRefusal{events.error().http_status, events.error().message};
}

std::string event_problem(const Json& more) {
  return refusal(kStructured, event(more).dump()).message;
}

TEST(CloudEvent, StructuredModeIsTakenAsItIs) {
  const Json whole = event({{"subject", "main"},
                            {"time", "2026-01-31T12:00:05.5+01:00"},
                            {"datacontenttype", "application/json"},
                            {"dataschema", "https://example.com/schema"},
                            {"attempt", 3},
                            {"dryrun", true},
                            {"data", {{"branch", "main"}}}});
  EXPECT_EQ(read_one(kStructured, whole.dump()), whole);
  const auto events = read_cloud_events(kStructured, whole.dump());
  ASSERT_TRUE(events);
  EXPECT_EQ(events->front().id, "1");
  EXPECT_EQ(events->front().source, "/repo");
  EXPECT_EQ(events->front().type, "push");
  EXPECT_EQ(read_one({{"content-type", "Application/CloudEvents+JSON"}}, kEvent.dump()), kEvent);
}

TEST(CloudEvent, AnAttributeThatIsNullIsNotThere) {
  EXPECT_EQ(read_one(kStructured, event({{"subject", nullptr}, {"data", nullptr}}).dump()),
            event({{"data", nullptr}}));
}

TEST(CloudEvent, BinaryModeHasTheAttributesInHeadersAndTheDataInTheBody) {
  EXPECT_EQ(
      read_one(binary({{"content-type", "application/json"}, {"ce-subject", "main"}, {"accept", "*/*"}}),
               R"({"branch": "main"})"),
      event({{"subject", "main"}, {"datacontenttype", "application/json"}, {"data", {{"branch", "main"}}}}));
  EXPECT_EQ(read_one(binary({{"content-type", "application/vnd.x+json"}}), "[1]"),
            event({{"datacontenttype", "application/vnd.x+json"}, {"data", {1}}}));
  EXPECT_EQ(read_one(binary({{"content-type", "text/plain"}}), "hello"),
            event({{"datacontenttype", "text/plain"}, {"data", "hello"}}));
  EXPECT_EQ(read_one(binary({{"content-type", "application/octet-stream"}}), std::string("\0\xff", 2)),
            event({{"datacontenttype", "application/octet-stream"}, {"data_base64", "AP8="}}));
  EXPECT_EQ(read_one(binary(), ""), kEvent) << "without data";
}

TEST(CloudEvent, HeadersArePercentDecoded) {
  EXPECT_EQ(read_one(binary({{"ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80"}}), ""),
            event({{"subject", "Euro \u20ac \U0001F600"}}));
  EXPECT_EQ(read_one(binary({{"ce-subject", R"("a \"b\" \\ c")"}}), ""),
            event({{"subject", R"(a "b" \ c)"}}));
  EXPECT_EQ(refusal(binary({{"ce-subject", "100%"}}), "").status, 400);
  EXPECT_EQ(refusal(binary({{"ce-subject", "%zz"}}), "").status, 400);
  EXPECT_THAT(refusal(binary({{"ce-subject", "%ff"}}), "").message, HasSubstr("expected UTF-8"));
}

TEST(CloudEvent, ABatchHoldsSeveral) {
  const auto events = read_cloud_events(kBatch, Json{kEvent, event({{"id", "2"}})}.dump());
  ASSERT_TRUE(events) << events.error().message;
  ASSERT_THAT(*events, SizeIs(2));
  EXPECT_EQ((*events)[1].id, "2");
  EXPECT_THAT(*read_cloud_events(kBatch, "[]"), SizeIs(0));
  EXPECT_THAT(refusal(kBatch, Json{kEvent, event({{"id", ""}})}.dump()).message, HasSubstr("event 1: id:"));
  EXPECT_EQ(refusal(kBatch, kEvent.dump()).status, 400);
  EXPECT_EQ(refusal(kBatch, Json(std::vector<Json>(101, kEvent)).dump()).status, 413);
}

TEST(CloudEvent, WhatIsNoCloudEventIsRefusedWithTheReason) {
  EXPECT_EQ(refusal({{"content-type", "application/json"}}, "{}").status, 415);
  EXPECT_EQ(refusal({}, "").status, 415);
  EXPECT_EQ(refusal({{"content-type", "application/cloudevents+avro"}}, "").status, 415);
  EXPECT_EQ(refusal(kStructured, "{").status, 400);
  EXPECT_EQ(refusal(kStructured, "[]").status, 400);
  EXPECT_EQ(refusal(kStructured, "7").status, 400);
  EXPECT_THAT(event_problem({{"specversion", "0.3"}}), HasSubstr("specversion: expected \"1.0\""));
  EXPECT_THAT(event_problem({{"specversion", nullptr}}), HasSubstr("specversion"));
  EXPECT_THAT(event_problem({{"id", nullptr}}), HasSubstr("id: is required"));
  EXPECT_THAT(event_problem({{"id", 7}}), HasSubstr("id: expected a text"));
  EXPECT_THAT(event_problem({{"source", ""}}), HasSubstr("source: expected a text"));
  EXPECT_THAT(event_problem({{"type", {{"x", 1}}}}), HasSubstr("type: expected a text"));
  EXPECT_THAT(event_problem({{"time", "yesterday"}}), HasSubstr("time: expected a time"));
  EXPECT_THAT(event_problem({{"traceParent", "x"}}), HasSubstr("lower-case"));
  EXPECT_THAT(event_problem({{"count", 1.5}}), HasSubstr("count: expected a text, an integer or a boolean"));
  EXPECT_THAT(event_problem({{"count", 3000000000}}), HasSubstr("32 bits"));
  EXPECT_THAT(event_problem({{"list", Json::array()}}), HasSubstr("list: expected a text"));
  EXPECT_THAT(event_problem({{"data", 1}, {"data_base64", "AA=="}}), HasSubstr("both data and data_base64"));
  EXPECT_THAT(event_problem({{"data_base64", "!"}}), HasSubstr("data_base64: expected base64"));
  EXPECT_EQ(refusal(binary({{"content-type", "application/json"}}), "{").status, 400);
  EXPECT_EQ(refusal(binary({{"ce-data", "x"}}), "").status, 400);
  EXPECT_EQ(refusal(binary({{"ce-bad_name", "x"}}), "").status, 400);
}

TEST(CloudEvent, OneAbove64KiBIsTooLarge) {
  EXPECT_EQ(refusal(kStructured, event({{"data", std::string(65'000, 'x')}}).dump()).message, "taken");
  EXPECT_EQ(refusal(kStructured, event({{"data", std::string(66'000, 'x')}}).dump()).status, 413);
}

TEST(CloudEvent, TheKeyDependsOnWorkflowTriggerSourceAndIdOnly) {
  const CloudEvent one{"1", "/a", "push", kEvent};
  const auto key = event_key("uid", "event", one);
  EXPECT_THAT(key, SizeIs(20));
  EXPECT_EQ(event_key("uid", "event", {"1", "/a", "other", event({{"data", 2}})}), key);
  EXPECT_NE(event_key("uid", "event", {"2", "/a", "push", kEvent}), key);
  EXPECT_NE(event_key("uid", "event", {"1", "/b", "push", kEvent}), key);
  EXPECT_NE(event_key("other", "event", one), key);
  EXPECT_NE(event_key("uid", "other", one), key);
  EXPECT_NE(event_key("uid", "event", {"a/1", "s", "push", kEvent}),
            event_key("uid", "event", {"1", "s/a", "push", kEvent}));
}

}  // namespace
}  // namespace convoke::workflow
