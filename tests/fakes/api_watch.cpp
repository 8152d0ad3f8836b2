#include "tests/fakes/api_watch.h"

#include <algorithm>
#include <utility>

#include "tests/fakes/api_failure.h"

namespace convoke::fakes {
namespace {

constexpr std::size_t kEnoughBytes = 256 * 1024;

std::string line_of(const char* type, const Json& object) {
  return std::string(R"({"type":")") + type + R"(","object":)" + dump_json(object) + "}\n";
}

// The state before an event, as a DELETED event shows it: with the resourceVersion of the event.
Json with_revision(Json object, std::uint64_t revision) {
  object["metadata"]["resourceVersion"] = std::to_string(revision);
  return object;
}

}  // namespace

WatchFeed::WatchFeed(const Table& table, Selector selector, std::uint64_t start, const ApiPath& request)
    : table_(table),
      selector_(std::move(selector)),
      position_(start),
      wants_bookmarks_(request.flag("allowWatchBookmarks")),
      owes_initial_events_(start == 0 || request.flag("sendInitialEvents")),
      owes_initial_bookmark_(request.flag("sendInitialEvents") && wants_bookmarks_) {}

std::string WatchFeed::next_lines(const ApiStorage& storage) {
  std::string lines;
  if (owes_initial_events_) {
    add_initial_events(storage, lines);
    return lines;
  }
  if (position_ < table_.compacted_revision) {
    failed_ = true;
    return line_of("ERROR", to_json(expired("too old resource version: " + std::to_string(position_) + " (" +
                                            std::to_string(table_.compacted_revision) + ")")));
  }
  auto event = std::ranges::upper_bound(table_.history, position_, {}, &StoredEvent::revision);
  const auto end = table_.history.end();
  // A repeated event bears the resourceVersion of its twin, and is sent along with it.
  for (; event != end && (lines.size() < kEnoughBytes || event->revision == position_); ++event) {
    position_ = event->revision;
    add_event(*event, lines);
  }
  return lines;
}

std::string WatchFeed::bookmark(const ApiStorage& storage) {
  if (!wants_bookmarks_) {
    return {};
  }
  position_ = std::max(position_, storage.revision());
  return bookmark_line(false);
}

void WatchFeed::add_initial_events(const ApiStorage& storage, std::string& lines) {
  for (const auto& [key, object] : table_.objects) {
    if (selector_.matches(*object)) {
      lines += line_of("ADDED", *object);
    }
  }
  owes_initial_events_ = false;
  position_ = storage.revision();
  if (owes_initial_bookmark_) {
    lines += bookmark_line(true);
  }
}

void WatchFeed::add_event(const StoredEvent& event, std::string& lines) const {
  const bool was_selected = event.before != nullptr && selector_.matches(*event.before);
  const bool is_selected = !event.is_deletion && selector_.matches(*event.after);
  if (is_selected) {
    lines += line_of(was_selected ? "MODIFIED" : "ADDED", *event.after);
  } else if (was_selected) {
    lines +=
        line_of("DELETED", event.is_deletion ? *event.after : with_revision(*event.before, event.revision));
  }
}

std::string WatchFeed::bookmark_line(bool ends_initial_events) const {
  Json metadata = {{"resourceVersion", std::to_string(position_)}, {"creationTimestamp", nullptr}};
  if (ends_initial_events) {
    metadata["annotations"] = {{"k8s.io/initial-events-end", "true"}};
  }
  return line_of("BOOKMARK", {{"kind", table_.type.kind},
                              {"apiVersion", table_.type.api_version()},
                              {"metadata", std::move(metadata)}});
}

}  // namespace convoke::fakes
