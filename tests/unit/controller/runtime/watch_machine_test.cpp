#include "controller/runtime/watch_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::runtime::watch {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- Values ---

Json object(const std::string& name, const std::string& resource_version) {
  return {{"metadata", {{"name", name}, {"resourceVersion", resource_version}}}};
}

Json bookmark(const std::string& resource_version, bool ends_initial_events = false) {
  Json made = {{"metadata", {{"resourceVersion", resource_version}}}};
  if (ends_initial_events) {
    made["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
  }
  return made;
}

Json status(int code, const std::string& reason) {
  return {{"kind", "Status"}, {"code", code}, {"reason", reason}, {"message", "because"}};
}

Error error(ErrorCode code, int http_status) {
  Error made{code, "because"};
  made.http_status = http_status;
  return made;
}

Error gone() {
  return error(ErrorCode::Expired, 410);
}
Error unavailable() {
  return error(ErrorCode::Unavailable, 0);
}

EventReceived added(Json made) {
  return {EventType::Added, std::move(made)};
}
EventReceived modified(Json made) {
  return {EventType::Modified, std::move(made)};
}
EventReceived deleted(Json made) {
  return {EventType::Deleted, std::move(made)};
}
EventReceived marked(Json made) {
  return {EventType::Bookmark, std::move(made)};
}
EventReceived failed(Json made) {
  return {EventType::Error, std::move(made)};
}

PageListed page(std::vector<Json> items, const std::string& resource_version,
                const std::string& continue_token = "") {
  return {{std::move(items), resource_version, continue_token}};
}

// --- As words, so that a table can be read ---

struct OutputInWords {
  std::string operator()(const FetchPage& o) const {
    return "list " + (o.continue_token.empty() ? "start" : o.continue_token);
  }
  std::string operator()(const OpenWatch& o) const {
    return o.initial_events ? "stream" : "watch from " + o.resource_version;
  }
  std::string operator()(const BeginReplace&) const { return "begin"; }
  std::string operator()(const AddToReplace& o) const { return "add " + name(o.object); }
  std::string operator()(const FinishReplace& o) const { return "finish at " + o.resource_version; }
  std::string operator()(const Apply& o) const { return "apply " + name(o.object); }
  std::string operator()(const Remove& o) const { return "remove " + name(o.object); }
  std::string operator()(const BackOff&) const { return "back off"; }
  std::string operator()(const ResetBackoff&) const { return "reset backoff"; }

  static std::string name(const Json& object) { return object["metadata"]["name"].get<std::string>(); }
};

struct PhaseInWords {
  std::string operator()(const Empty&) const { return "empty"; }
  std::string operator()(const Listing& p) const {
    if (p.by == Listing::By::Stream) {
      return "listing by stream";
    }
    return "listing by pages" + (p.continue_token.empty() ? "" : " at " + p.continue_token);
  }
  std::string operator()(const Watching& p) const { return "watching at " + p.resource_version; }
};

State listing_by_stream() {
  return {Listing{Listing::By::Stream, "", true, {}}};
}
State listing_by_pages(const std::string& token = "") {
  return {Listing{Listing::By::Pages, token, !token.empty(), {}}};
}
State watching(bool delivered = false) {
  return {Watching{"10", delivered}};
}

State without_streaming(State state) {
  state.streaming_refused = true;
  return state;
}

// --- The table ---

struct Row {
  std::string what;
  State state;
  Input input;
  std::string phase;
  std::vector<std::string> outputs;
};

std::vector<Row> empty_rows() {
  return {
      {"the start", {}, Started{}, "listing by stream", {"stream"}},
      {"the start without streaming", without_streaming({}), Started{}, "listing by pages", {"list start"}},
      {"nothing else has a meaning", {}, added(object("a", "1")), "empty", {}},
  };
}

std::vector<Row> stream_rows() {
  const State state = listing_by_stream();
  State with_removal = state;
  std::get<Listing>(with_removal.phase).removed.push_back(object("gone", "8"));
  return {
      {"a stream that opened", {Listing{}}, WatchOpened{}, "listing by stream", {"begin"}},
      {"a stream that is refused as invalid",
       {Listing{}},
       WatchFailed{error(ErrorCode::Invalid, 422)},
       "listing by pages",
       {"list start"}},
      {"a stream that is refused as a bad request",
       {Listing{}},
       WatchFailed{error(ErrorCode::Invalid, 400)},
       "listing by pages",
       {"list start"}},
      {"a stream that is not allowed",
       {Listing{}},
       WatchFailed{error(ErrorCode::Forbidden, 403)},
       "listing by stream",
       {"back off", "stream"}},
      {"a kind that does not exist",
       {Listing{}},
       WatchFailed{error(ErrorCode::NotFound, 404)},
       "listing by stream",
       {"back off", "stream"}},
      {"a server that does not answer",
       {Listing{}},
       WatchFailed{unavailable()},
       "listing by stream",
       {"back off", "stream"}},
      {"an initial object", state, added(object("a", "3")), "listing by stream", {"add a"}},
      {"a change before the end of the list",
       state,
       modified(object("a", "4")),
       "listing by stream",
       {"add a"}},
      {"a removal before the end of the list waits",
       state,
       deleted(object("a", "5")),
       "listing by stream",
       {}},
      {"a bookmark that is not the end", state, marked(bookmark("6")), "listing by stream", {}},
      {"the end of the list", state, marked(bookmark("7", true)), "watching at 7", {"finish at 7"}},
      {"removals come after the end of the list",
       with_removal,
       marked(bookmark("9", true)),
       "watching at 9",
       {"finish at 9", "remove gone"}},
      {"410 in the stream",
       state,
       failed(status(410, "Expired")),
       "listing by stream",
       {"back off", "stream"}},
      {"a stream that ends before its list does",
       state,
       WatchEnded{60s},
       "listing by pages",
       {"back off", "list start"}},
      {"a stream that breaks",
       state,
       WatchEnded{1s, unavailable()},
       "listing by pages",
       {"back off", "list start"}},
  };
}

std::vector<Row> page_rows() {
  return {
      {"the only page",
       listing_by_pages(),
       page({object("a", "1"), object("b", "2")}, "5"),
       "watching at 5",
       {"begin", "add a", "add b", "finish at 5", "watch from 5"}},
      {"an empty list",
       listing_by_pages(),
       page({}, "5"),
       "watching at 5",
       {"begin", "finish at 5", "watch from 5"}},
      {"the first of several pages",
       listing_by_pages(),
       page({object("a", "1")}, "5", "next"),
       "listing by pages at next",
       {"begin", "add a", "list next"}},
      {"the last of several pages",
       listing_by_pages("next"),
       page({object("b", "2")}, "5"),
       "watching at 5",
       {"add b", "finish at 5", "watch from 5"}},
      {"a page that could not be had is asked for again",
       listing_by_pages("next"),
       ListFailed{unavailable()},
       "listing by pages at next",
       {"back off", "list next"}},
      {"an expired token starts over",
       without_streaming(listing_by_pages("next")),
       ListFailed{gone()},
       "listing by pages",
       {"back off", "list start"}},
      {"a list that is not allowed",
       listing_by_pages(),
       ListFailed{error(ErrorCode::Forbidden, 403)},
       "listing by pages",
       {"back off", "list start"}},
  };
}

std::vector<Row> watch_rows() {
  Error too_large = error(ErrorCode::Unavailable, 504);
  too_large.causes.push_back({"", "Too large resource version", "ResourceVersionTooLarge"});
  return {
      {"a watch that opened", watching(), WatchOpened{}, "watching at 10", {}},
      {"the first event of a watch",
       watching(),
       added(object("a", "11")),
       "watching at 11",
       {"reset backoff", "apply a"}},
      {"an addition", watching(true), added(object("a", "11")), "watching at 11", {"apply a"}},
      {"a change", watching(true), modified(object("a", "12")), "watching at 12", {"apply a"}},
      {"a removal", watching(true), deleted(object("a", "13")), "watching at 13", {"remove a"}},
      {"a bookmark moves the place to go on from",
       watching(true),
       marked(bookmark("20")),
       "watching at 20",
       {}},
      {"an event without a version keeps the place",
       watching(true),
       marked(Json::object()),
       "watching at 10",
       {}},

      {"410 as a status", watching(), WatchFailed{gone()}, "listing by stream", {"back off", "stream"}},
      {"410 as a status without streaming",
       without_streaming(watching()),
       WatchFailed{gone()},
       "listing by pages",
       {"back off", "list start"}},
      {"410 in the stream",
       watching(true),
       failed(status(410, "Expired")),
       "listing by stream",
       {"back off", "stream"}},
      {"410 Gone in the stream",
       watching(),
       failed(status(410, "Gone")),
       "listing by stream",
       {"back off", "stream"}},
      {"another error in the stream",
       watching(true),
       failed(status(500, "InternalError")),
       "watching at 10",
       {"back off", "watch from 10"}},
      {"a version that the server cannot read",
       watching(),
       WatchFailed{error(ErrorCode::Invalid, 400)},
       "listing by stream",
       {"back off", "stream"}},
      {"a version that a restored server does not know yet",
       watching(),
       WatchFailed{too_large},
       "listing by stream",
       {"back off", "stream"}},
      {"a watch that is not allowed",
       watching(),
       WatchFailed{error(ErrorCode::Forbidden, 403)},
       "watching at 10",
       {"back off", "watch from 10"}},
      {"a server that does not answer",
       watching(),
       WatchFailed{unavailable()},
       "watching at 10",
       {"back off", "watch from 10"}},

      {"the regular end of a quiet watch",
       watching(),
       WatchEnded{290s},
       "watching at 10",
       {"reset backoff", "watch from 10"}},
      {"a dead peer",
       watching(),
       WatchEnded{305s, unavailable()},
       "watching at 10",
       {"reset backoff", "watch from 10"}},
      {"the end of a watch that delivered",
       watching(true),
       WatchEnded{1ms},
       "watching at 10",
       {"reset backoff", "watch from 10"}},
      {"a break of a watch that delivered",
       watching(true),
       WatchEnded{1ms, unavailable()},
       "watching at 10",
       {"reset backoff", "watch from 10"}},
      {"a watch that ends at once",
       watching(),
       WatchEnded{1ms},
       "watching at 10",
       {"back off", "watch from 10"}},
      {"a watch that breaks at once",
       watching(),
       WatchEnded{1ms, unavailable()},
       "watching at 10",
       {"back off", "watch from 10"}},
      {"a body that cannot be read",
       watching(true),
       WatchEnded{60s, error(ErrorCode::Invalid, 0)},
       "listing by stream",
       {"back off", "stream"}},
      {"a page out of place", watching(), page({object("a", "1")}, "5"), "watching at 10", {}},
  };
}

void check(std::vector<Row> rows) {
  for (Row& row : rows) {
    const Step next = step(std::move(row.state), std::move(row.input));
    std::vector<std::string> outputs;
    for (const Output& output : next.outputs) {
      outputs.push_back(std::visit(OutputInWords{}, output));
    }
    EXPECT_EQ(std::visit(PhaseInWords{}, next.state.phase), row.phase) << row.what;
    EXPECT_EQ(outputs, row.outputs) << row.what;
  }
}

TEST(WatchMachine, Empty) {
  check(empty_rows());
}
TEST(WatchMachine, ListingByStream) {
  check(stream_rows());
}
TEST(WatchMachine, ListingByPages) {
  check(page_rows());
}
TEST(WatchMachine, Watching) {
  check(watch_rows());
}

TEST(WatchMachine, ARefusedStreamIsNotAskedForAgain) {
  Step next = step({Listing{}}, WatchFailed{error(ErrorCode::Invalid, 422)});
  next = step(std::move(next.state), page({}, "5"));
  next = step(std::move(next.state), WatchFailed{gone()});
  EXPECT_EQ(std::visit(PhaseInWords{}, next.state.phase), "listing by pages");
}

TEST(WatchMachine, AStreamThatDidNotFinishIsTriedAgainWithTheNextList) {
  Step next = step(listing_by_stream(), WatchEnded{60s});
  next = step(std::move(next.state), page({}, "5"));
  next = step(std::move(next.state), WatchFailed{gone()});
  EXPECT_EQ(std::visit(PhaseInWords{}, next.state.phase), "listing by stream");
}

TEST(WatchMachine, TheBackoffSaysWhatWentWrong) {
  const Step ended = step(watching(), WatchEnded{3ms});
  EXPECT_THAT(std::get<BackOff>(ended.outputs.at(0)).error.message, HasSubstr("ended after 3ms"));
  const Step expired = step(watching(), failed(status(410, "Expired")));
  EXPECT_EQ(std::get<BackOff>(expired.outputs.at(0)).error.code, ErrorCode::Expired);
}

// --- Lines ---

TEST(WatchEvent, WhatIsNoEventIsInvalid) {
  for (const char* line :
       {"", "{", "[]", "7", "{}", R"({"type":"ADDED"})", R"({"type":"ADDED","object":7})",
        R"({"type":"RENAMED","object":{}})", R"({"type":7,"object":{}})", R"({"object":{}})"}) {
    const auto event = parse_event(line);
    ASSERT_FALSE(event) << line;
    EXPECT_EQ(event.error().code, ErrorCode::Invalid) << line;
  }
}

TEST(WatchEvent, EveryTypeIsRead) {
  const std::vector<std::pair<std::string, EventType>> types = {{"ADDED", EventType::Added},
                                                                {"MODIFIED", EventType::Modified},
                                                                {"DELETED", EventType::Deleted},
                                                                {"BOOKMARK", EventType::Bookmark},
                                                                {"ERROR", EventType::Error}};
  for (const auto& [name, type] : types) {
    const auto event = parse_event(R"({"type":")" + name + R"(","object":{"metadata":{"name":"a"}}})");
    ASSERT_TRUE(event) << name;
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(event->object["metadata"]["name"], "a");
  }
}

}  // namespace
}  // namespace convoke::runtime::watch
