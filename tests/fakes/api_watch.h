// What one watch sends: which events of a type's history its client has not had yet, as lines of JSON.
//
// Pure apart from its own position. Not thread-safe: the server's mutex guards it and the storage.
#pragma once

#include <cstdint>
#include <string>

#include "tests/fakes/api_request.h"
#include "tests/fakes/api_selector.h"
#include "tests/fakes/api_storage.h"

namespace convoke::fakes {

class WatchFeed {
 public:
  // `start` is the request's resourceVersion: 0 begins with the present objects.
  WatchFeed(const Table& table, Selector selector, std::uint64_t start, const ApiPath& request);

  // The lines that are due, many at a time but not without bound; empty if there are none.
  std::string next_lines(const ApiStorage& storage);
  // A bookmark with the position that has been reached; empty if the client did not ask for them.
  std::string bookmark(const ApiStorage& storage);
  // True after an ERROR event: the stream ends.
  bool failed() const { return failed_; }
  const Table& table() const { return table_; }

 private:
  void add_initial_events(const ApiStorage& storage, std::string& lines);
  void add_event(const StoredEvent& event, std::string& lines) const;
  std::string bookmark_line(bool ends_initial_events) const;

  const Table& table_;
  Selector selector_;
  std::uint64_t position_;  // the resourceVersion that the client has reached
  bool wants_bookmarks_;
  bool owes_initial_events_;
  bool owes_initial_bookmark_;
  bool failed_ = false;
};

}  // namespace convoke::fakes
