// Compiled programs, kept by their source: the least recently used is dropped first.
//
// Thread safety: every function may be called by every thread. Two threads that ask for the same new
// expression at once may both compile it. Errors: those of Program::compile(), which are not kept.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "reconcilers/expression/cel/cel.h"

namespace convoke::cel {

class ProgramCache {
 public:
  // Holds at most `max_programs`, whose sources together have at most `max_source_bytes`.
  explicit ProgramCache(std::size_t max_programs = 1000, std::size_t max_source_bytes = 256 * 1024);

  Result<ProgramPtr> get(const std::string& source);

  std::size_t size() const;
  // How often get() found a program, and how often it had to compile.
  std::size_t hits() const;
  std::size_t misses() const;

 private:
  ProgramPtr find(std::string_view source);
  void add(const ProgramPtr& program);

  const std::size_t max_programs_;
  const std::size_t max_source_bytes_;
  mutable Mutex mutex_;
  std::list<ProgramPtr> newest_first_ GUARDED_BY(mutex_);
  // The keys are the programs' own sources.
  std::unordered_map<std::string_view, std::list<ProgramPtr>::iterator> by_source_ GUARDED_BY(mutex_);
  std::size_t source_bytes_ GUARDED_BY(mutex_) = 0;
  std::size_t hits_ GUARDED_BY(mutex_) = 0;
  std::size_t misses_ GUARDED_BY(mutex_) = 0;
};

}  // namespace convoke::cel
