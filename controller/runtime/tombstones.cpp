#include "controller/runtime/tombstones.h"

#include <algorithm>

namespace convoke::runtime {

void Tombstones::bury(const std::string& uid, std::uint64_t resource_version) {
  if (uid.empty() || resource_version == 0) {
    return;
  }
  const auto [entry, is_new] = dead_.try_emplace(uid, resource_version);
  entry->second = std::max(entry->second, resource_version);
  if (!is_new) {
    return;
  }
  oldest_first_.push_back(uid);
  if (oldest_first_.size() > capacity_) {
    dead_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
}

bool Tombstones::covers(const std::string& uid, std::uint64_t resource_version) const {
  const auto entry = dead_.find(uid);
  return entry != dead_.end() && resource_version <= entry->second;
}

void Tombstones::forgive(const std::string& uid) {
  const auto entry = dead_.find(uid);
  if (entry != dead_.end() && entry->second != kForever) {
    dead_.erase(entry);
  }
}

}  // namespace convoke::runtime
