#include "reconcilers/expression/cel/program_cache.h"

#include <iterator>

namespace convoke::cel {

ProgramCache::ProgramCache(std::size_t max_programs, std::size_t max_source_bytes)
    : max_programs_(max_programs), max_source_bytes_(max_source_bytes) {}

Result<ProgramPtr> ProgramCache::get(const std::string& source) {
  if (auto known = find(source)) {
    return known;
  }
  auto program = Program::compile(source);
  if (program) {
    add(*program);
  }
  return program;
}

ProgramPtr ProgramCache::find(std::string_view source) {
  const MutexLock lock(mutex_);
  const auto found = by_source_.find(source);
  if (found == by_source_.end()) {
    ++misses_;
    return nullptr;
  }
  ++hits_;
  newest_first_.splice(newest_first_.begin(), newest_first_, found->second);
  return newest_first_.front();
}

void ProgramCache::add(const ProgramPtr& program) {
  const MutexLock lock(mutex_);
  if (by_source_.count(program->source()) > 0) {
    return;
  }
  newest_first_.push_front(program);
  by_source_.emplace(newest_first_.front()->source(), newest_first_.begin());
  source_bytes_ += program->source().size();
  while (newest_first_.size() > max_programs_ || source_bytes_ > max_source_bytes_) {
    const auto& oldest = newest_first_.back()->source();
    source_bytes_ -= oldest.size();
    by_source_.erase(oldest);
    newest_first_.pop_back();
  }
}

std::size_t ProgramCache::size() const {
  const MutexLock lock(mutex_);
  return newest_first_.size();
}

std::size_t ProgramCache::hits() const {
  const MutexLock lock(mutex_);
  return hits_;
}

std::size_t ProgramCache::misses() const {
  const MutexLock lock(mutex_);
  return misses_;
}

}  // namespace convoke::cel
