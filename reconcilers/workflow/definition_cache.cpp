#include "reconcilers/workflow/definition_cache.h"

#include <utility>

namespace convoke::workflow {

DefinitionPtr DefinitionCache::find(const std::string& key) {
  const MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->definition;
}

Result<DefinitionPtr> DefinitionCache::get_or_parse(const std::string& key, const api::RawJson& text,
                                                    const std::string& path) {
  if (auto kept = find(key)) {
    return kept;
  }
  auto parsed = parse_definition(text, path);
  if (parsed) {
    insert({key, *parsed, text.size()});
  }
  return parsed;
}

void DefinitionCache::insert(Entry entry) {
  const MutexLock lock(mutex_);
  if (by_key_.count(entry.key) > 0) {
    return;  // another thread parsed it meanwhile
  }
  text_bytes_ += entry.text_bytes;
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
  while (entries_.size() > 1 && (entries_.size() > max_entries_ || text_bytes_ > max_text_bytes_)) {
    text_bytes_ -= entries_.back().text_bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

std::size_t DefinitionCache::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace convoke::workflow
