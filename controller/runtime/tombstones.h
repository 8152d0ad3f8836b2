// What a Store remembers of removed objects, so that news that is older than the removal never brings one
// back: the answer of a write that a slow thread hands in late, or events that the watch delivers after our
// own delete.
//
// Memory is bounded: only the latest removals are kept. What is forgotten too early shows an object again
// until the watch delivers its removal.
//
// No thread safety of its own: the Store's lock guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <unordered_map>

namespace convoke::runtime {

class Tombstones {
 public:
  // For a uid that was deleted for good: no version of it is ever news again.
  static constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::size_t kDefaultCapacity = 2048;

  explicit Tombstones(std::size_t capacity = kDefaultCapacity) : capacity_(capacity) {}

  // Versions of `uid` up to `resource_version` are dead. Ignored where either is unknown (empty or 0).
  void bury(const std::string& uid, std::uint64_t resource_version);
  bool covers(const std::string& uid, std::uint64_t resource_version) const;
  // A complete list holds `uid` after all. Deletes of our own stay: the list may be older than they are.
  void forgive(const std::string& uid);
  std::size_t size() const { return dead_.size(); }

 private:
  std::size_t capacity_;
  std::unordered_map<std::string, std::uint64_t> dead_;  // uid to the newest dead version
  std::deque<std::string> oldest_first_;
};

}  // namespace convoke::runtime
