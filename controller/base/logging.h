// Logs: one JSON object a line ({"time","level","message",...fields}), or plain text for a terminal.
//
// Thread safety: a Logger may be used and copied from every thread. Lines are written whole.
// Never log parameters, outputs, tokens or Secrets: only names, reasons and numbers.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "controller/base/clock.h"

namespace convoke {

enum class LogLevel { Debug, Info, Warn, Error, Off };
// g++ takes a scoped enumerator for something that could shadow the type Json (controller/kube/json.h).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
enum class LogFormat { Json, Text };
#pragma GCC diagnostic pop

// One key and its value; built from strings, numbers and booleans.
struct LogField {
  LogField(std::string_view key, std::string_view value);
  LogField(std::string_view key, const std::string& value);
  LogField(std::string_view key, const char* value);
  LogField(std::string_view key, bool value);
  LogField(std::string_view key, int value);
  LogField(std::string_view key, long value);
  LogField(std::string_view key, unsigned long value);
  LogField(std::string_view key, double value);
  LogField(std::string_view key, Duration value);  // in seconds

  std::string key;
  std::string json_value;  // already encoded
};

// Where lines go. Tests give one that keeps them.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(LogLevel level, std::string_view line) = 0;
  virtual void flush() {}
};

class Logger {
 public:
  // A logger that drops everything.
  Logger();
  Logger(std::shared_ptr<LogSink> sink, Clock& clock, LogLevel level, LogFormat format);

  // The same logger with fields that every line of it carries.
  Logger with(std::initializer_list<LogField> fields) const;

  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void warn(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void flush() const;

 private:
  struct Core;
  void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const;

  std::shared_ptr<const Core> core_;
  std::string bound_fields_;  // encoded, each with a leading comma
};

// Standard error, through spdlog. May be called once.
std::shared_ptr<LogSink> make_stderr_sink();

}  // namespace convoke
