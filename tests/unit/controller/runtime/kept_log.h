// A log sink that keeps its lines for a test to look at. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/base/logging.h"
#include "controller/base/mutex.h"

namespace convoke::runtime {

class KeptLog final : public LogSink {
 public:
  void write(LogLevel level, std::string_view line) override {
    MutexLock lock(mutex_);
    lines_.emplace_back(level, line);
  }

  std::vector<std::string> lines(LogLevel level) const {
    MutexLock lock(mutex_);
    std::vector<std::string> result;
    for (const auto& [line_level, line] : lines_) {
      if (line_level == level) {
        result.push_back(line);
      }
    }
    return result;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::pair<LogLevel, std::string>> lines_ GUARDED_BY(mutex_);
};

}  // namespace convoke::runtime
