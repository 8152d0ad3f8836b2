#include "controller/base/logging.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controller/base/level_sink.h"

namespace convoke {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

class KeptLines final : public LogSink {
 public:
  void write(LogLevel level, std::string_view line) override {
    levels.push_back(level);
    lines.emplace_back(line);
  }
  void flush() override { ++flushes; }

  std::vector<LogLevel> levels;
  std::vector<std::string> lines;
  int flushes = 0;
};

class LoggerTest : public testing::Test {
 protected:
  Logger logger(LogFormat format, LogLevel level = LogLevel::Info) { return {sink_, clock_, level, format}; }

  std::shared_ptr<KeptLines> sink_ = std::make_shared<KeptLines>();
  SystemClock clock_;
};

TEST_F(LoggerTest, InvalidUtf8IsReplacedAndTheLineStaysJson) {
  logger(LogFormat::Json).info("bad \xff message", {{"key\xfe", "value\xfd\n"}});
  ASSERT_EQ(sink_->lines.size(), 1u);
  const json line = json::parse(sink_->lines[0]);
  EXPECT_EQ(line["message"], "bad \ufffd message");
  EXPECT_EQ(line["key\ufffd"], "value\ufffd\n");
  EXPECT_EQ(sink_->lines[0].find('\n'), std::string::npos);
}

TEST_F(LoggerTest, ADefaultLoggerDropsEverything) {
  const Logger log;
  log.with({{"a", 1}}).error("nobody reads this");
  log.flush();
}

TEST_F(LoggerTest, LinesBelowTheLevelAreDropped) {
  const Logger log = logger(LogFormat::Json, LogLevel::Warn);
  log.debug("d");
  log.info("i");
  log.warn("w");
  log.error("e");
  EXPECT_EQ(sink_->levels, (std::vector<LogLevel>{LogLevel::Warn, LogLevel::Error}));
  logger(LogFormat::Json, LogLevel::Off).error("e");
  EXPECT_EQ(sink_->lines.size(), 2u);
}

TEST_F(LoggerTest, AJsonLineHasTimeLevelMessageAndTypedFields) {
  logger(LogFormat::Json)
      .info("hello", {{"text", "a \"b\""},
                      {"flag", true},
                      {"count", 3},
                      {"ratio", 0.5},
                      {"took", 1500ms},
                      {"none", std::numeric_limits<double>::quiet_NaN()}});
  ASSERT_EQ(sink_->lines.size(), 1u);
  const json line = json::parse(sink_->lines[0]);
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["message"], "hello");
  EXPECT_EQ(line["text"], "a \"b\"");
  EXPECT_EQ(line["flag"], true);
  EXPECT_EQ(line["count"], 3);
  EXPECT_EQ(line["ratio"], 0.5);
  EXPECT_EQ(line["took"], 1.5);
  EXPECT_TRUE(line["none"].is_null());
  EXPECT_EQ(line["time"].get<std::string>().size(), std::string("2026-01-31T12:00:05.123456Z").size());
  EXPECT_EQ(sink_->lines[0].rfind(R"({"time":")", 0), 0u);
}

TEST_F(LoggerTest, BoundFieldsAreOnEveryLineOfThatLoggerOnly) {
  const Logger log = logger(LogFormat::Json);
  const Logger bound = log.with({{"controller", "task"}}).with({{"name", "a"}});
  bound.info("one", {{"n", 1}});
  log.info("two");
  const json one = json::parse(sink_->lines.at(0));
  EXPECT_EQ(one["controller"], "task");
  EXPECT_EQ(one["name"], "a");
  EXPECT_EQ(one["n"], 1);
  EXPECT_FALSE(json::parse(sink_->lines.at(1)).contains("controller"));
}

TEST_F(LoggerTest, TextIsForATerminalAndCannotForgeLines) {
  logger(LogFormat::Text).with({{"agent", "b1"}}).warn("took\nlong \x1b[31m", {{"took", 2s}});
  const std::string& line = sink_->lines.at(0);
  EXPECT_NE(line.find(" warn  took long "), std::string::npos) << line;
  EXPECT_NE(line.find("  agent=\"b1\"  took=2.0"), std::string::npos) << line;
  EXPECT_EQ(line.find_first_of("\n\x1b"), std::string::npos);
}

TEST_F(LoggerTest, FlushReachesTheSink) {
  logger(LogFormat::Json).flush();
  EXPECT_EQ(sink_->flushes, 1);
}

TEST_F(LoggerTest, LevelOfALevelSinkChangesWhileOthersLog) {
  const auto levels = std::make_shared<LevelSink>(sink_, LogLevel::Warn);
  const Logger log = Logger(levels, clock_, LogLevel::Debug, LogFormat::Json).with({{"a", 1}});
  log.info("dropped");
  levels->set_level(LogLevel::Debug);
  log.debug("kept");
  levels->set_level(LogLevel::Off);
  log.error("dropped");
  log.flush();
  ASSERT_EQ(sink_->lines.size(), 1u);
  EXPECT_EQ(json::parse(sink_->lines[0])["message"], "kept");
  EXPECT_EQ(sink_->flushes, 1);
}

TEST(StderrSink, WritesTheLineAsItIs) {
  testing::internal::CaptureStderr();
  make_stderr_sink()->write(LogLevel::Info, R"({"a":"100% {} %v"})");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "{\"a\":\"100% {} %v\"}\n");
}

}  // namespace
}  // namespace convoke
