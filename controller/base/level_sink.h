// Drops log lines below a level that may change while the program runs. In front of any other sink:
//
//   const auto sink = std::make_shared<LevelSink>(make_stderr_sink(), LogLevel::Info);
//   const Logger log(sink, clock, LogLevel::Debug, format);
//   sink->set_level(LogLevel::Debug);
//
// Thread safety: all methods from every thread.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "controller/base/logging.h"

namespace convoke {

class LevelSink final : public LogSink {
 public:
  LevelSink(std::shared_ptr<LogSink> next, LogLevel level) : next_(std::move(next)), level_(level) {}

  void set_level(LogLevel level) { level_ = level; }
  void write(LogLevel level, std::string_view line) override {
    if (level >= level_) next_->write(level, line);
  }
  void flush() override { next_->flush(); }

 private:
  const std::shared_ptr<LogSink> next_;
  std::atomic<LogLevel> level_;
};

}  // namespace convoke
