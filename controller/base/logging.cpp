#include "controller/base/logging.h"

#include <cctype>

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "controller/base/time_format.h"

namespace convoke {
namespace {

std::string encode_json(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string encode(std::string_view text) {
  return encode_json(nlohmann::json(text));
}

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "debug";
    case LogLevel::Info:
      return "info";
    case LogLevel::Warn:
      return "warn";
    case LogLevel::Error:
      return "error";
    case LogLevel::Off:
      break;
  }
  return "off";
}

// Control characters would let a value forge lines or colours on a terminal.
std::string printable(std::string_view text) {
  std::string clean(text);
  for (char& c : clean) {
    if (std::iscntrl(static_cast<unsigned char>(c)) != 0) {
      c = ' ';
    }
  }
  return clean;
}

void append_fields(std::string& line, LogFormat format, std::initializer_list<LogField> fields) {
  for (const LogField& field : fields) {
    if (format == LogFormat::Json) {
      line += "," + encode(field.key) + ":" + field.json_value;
    } else {
      line += "  " + printable(field.key) + "=" + field.json_value;
    }
  }
}

std::string json_line(LogLevel level, WallTime now, std::string_view message) {
  std::string line = R"({"time":")" + format_micro_time(now) + R"(","level":")" + level_name(level);
  line += R"(","message":)" + encode(message);
  return line;
}

std::string text_line(LogLevel level, WallTime now, std::string_view message) {
  std::string name = level_name(level);
  name.resize(5, ' ');
  return format_time(now) + " " + name + " " + printable(message);
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warn:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Off:
      break;
  }
  return spdlog::level::off;
}

class StderrSink final : public LogSink {
 public:
  StderrSink() : logger_("convoke", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);
  }
  void write(LogLevel level, std::string_view line) override {
    logger_.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  }
  void flush() override { logger_.flush(); }

 private:
  spdlog::logger logger_;
};

}  // namespace

LogField::LogField(std::string_view name, std::string_view value) : key(name), json_value(encode(value)) {}
LogField::LogField(std::string_view name, const std::string& value)
    : LogField(name, std::string_view(value)) {}
LogField::LogField(std::string_view name, const char* value) : LogField(name, std::string_view(value)) {}
LogField::LogField(std::string_view name, bool value) : key(name), json_value(value ? "true" : "false") {}
LogField::LogField(std::string_view name, int value) : key(name), json_value(std::to_string(value)) {}
LogField::LogField(std::string_view name, long value) : key(name), json_value(std::to_string(value)) {}
LogField::LogField(std::string_view name, unsigned long value)
    : key(name), json_value(std::to_string(value)) {}
LogField::LogField(std::string_view name, double value)
    : key(name), json_value(encode_json(nlohmann::json(value))) {}
LogField::LogField(std::string_view name, Duration value)
    : LogField(name, std::chrono::duration<double>(value).count()) {}

struct Logger::Core {
  std::shared_ptr<LogSink> sink;
  Clock& clock;
  LogLevel level;
  LogFormat format;
};

Logger::Logger() = default;

Logger::Logger(std::shared_ptr<LogSink> sink, Clock& clock, LogLevel level, LogFormat format)
    : core_(std::make_shared<const Core>(Core{std::move(sink), clock, level, format})) {}

Logger Logger::with(std::initializer_list<LogField> fields) const {
  Logger logger = *this;
  if (core_ != nullptr) {
    append_fields(logger.bound_fields_, core_->format, fields);
  }
  return logger;
}

void Logger::log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const {
  if (core_ == nullptr || level < core_->level) {
    return;
  }
  const bool is_json = core_->format == LogFormat::Json;
  const WallTime now = core_->clock.wall_now();
  std::string line = is_json ? json_line(level, now, message) : text_line(level, now, message);
  line += bound_fields_;
  append_fields(line, core_->format, fields);
  if (is_json) {
    line += "}";
  }
  core_->sink->write(level, line);
}

void Logger::debug(std::string_view message, std::initializer_list<LogField> fields) const {
  log(LogLevel::Debug, message, fields);
}

void Logger::info(std::string_view message, std::initializer_list<LogField> fields) const {
  log(LogLevel::Info, message, fields);
}

void Logger::warn(std::string_view message, std::initializer_list<LogField> fields) const {
  log(LogLevel::Warn, message, fields);
}

void Logger::error(std::string_view message, std::initializer_list<LogField> fields) const {
  log(LogLevel::Error, message, fields);
}

void Logger::flush() const {
  if (core_ != nullptr) {
    core_->sink->flush();
  }
}

std::shared_ptr<LogSink> make_stderr_sink() {
  return std::make_shared<StderrSink>();
}

}  // namespace convoke
