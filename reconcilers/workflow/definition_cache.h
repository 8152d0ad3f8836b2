// Checked definitions by the identity of their text, so that a reconcile does not parse a thousand steps
// again.
//
// Keys name immutable content ("revision/<name>/<uid>", "run/<uid>/<generation>"), so nothing here goes
// stale. Bounded: the least recently used go first. Thread safety: all methods from every thread.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "controller/base/mutex.h"
#include "reconcilers/workflow/definition.h"

namespace convoke::workflow {

class DefinitionCache {
 public:
  explicit DefinitionCache(std::size_t max_entries = 256,
                           std::size_t max_text_bytes = std::size_t{16} * 1024 * 1024)
      : max_entries_(max_entries), max_text_bytes_(max_text_bytes) {}

  // The kept definition, or a newly parsed one. Errors are not kept: what is invalid is not asked for again.
  Result<DefinitionPtr> get_or_parse(const std::string& key, const api::RawJson& text,
                                     const std::string& path);
  // Null if it is not kept.
  DefinitionPtr find(const std::string& key);
  std::size_t size() const;

 private:
  struct Entry {
    std::string key;
    DefinitionPtr definition;
    std::size_t text_bytes;
  };
  void insert(Entry entry);

  const std::size_t max_entries_;
  const std::size_t max_text_bytes_;
  mutable Mutex mutex_;
  std::list<Entry> entries_ GUARDED_BY(mutex_);  // the most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_ GUARDED_BY(mutex_);
  std::size_t text_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace convoke::workflow
