#include "programs/operator/config_reloader.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/runtime/kept_log.h"

namespace convoke::programs {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class KeptEvents final : public runtime::EventRecorder {
 public:
  void record(const kube::ObjectReference&, runtime::EventType, const std::string& reason, const std::string&,
              const std::string& note) override {
    reasons.push_back(reason);
    notes.push_back(note);
  }
  std::vector<std::string> reasons;
  std::vector<std::string> notes;
};

class ConfigReloaderTest : public testing::Test {
 protected:
  ConfigReloaderTest() { start(ConfigSource("c.yaml", {{"workers.agent", "9"}})); }
  ~ConfigReloaderTest() override { reloader_->stop(); }

  void start(const ConfigSource& source) {
    if (reloader_ != nullptr) reloader_->stop();
    reloader_ = std::make_unique<ConfigReloader>(
        ReloadParts{clock_,
                    Logger(log_, clock_, LogLevel::Debug, LogFormat::Json),
                    *registry_,
                    events_,
                    {},
                    [this] {
                      ++reads_;
                      return file_;
                    },
                    [this](const OperatorConfig& config) { applied_.push_back(config); }},
        source, *file_, *source.parse(*file_));
    reloader_->start();
    clock_.settle();
  }
  // The file becomes this, and the reloader has the time to see it.
  void write(const Result<std::string>& text) {
    file_ = text;
    clock_.advance(3s);
  }
  std::string metrics() const { return prometheus::TextSerializer().Serialize(registry_->Collect()); }
  std::vector<std::string> log(LogLevel level) const { return log_->lines(level); }

  fakes::FakeClock clock_;
  std::shared_ptr<runtime::KeptLog> log_ = std::make_shared<runtime::KeptLog>();
  std::unique_ptr<prometheus::Registry> registry_ = std::make_unique<prometheus::Registry>();
  KeptEvents events_;
  Result<std::string> file_ = std::string("drain: 10s\n");
  int reads_ = 0;
  std::vector<OperatorConfig> applied_;
  std::unique_ptr<ConfigReloader> reloader_;
};

TEST_F(ConfigReloaderTest, FileWithAMistakeChangesNothingAndIsToldOnce) {
  write(std::string("log: {level: Debug}\nworkers: {tasks: 3}\n"));
  clock_.advance(1min);
  EXPECT_THAT(applied_, IsEmpty());
  ASSERT_EQ(log(LogLevel::Error).size(), 1u);
  EXPECT_THAT(log(LogLevel::Error)[0], HasSubstr("c.yaml:2:11: workers.tasks: there is no such key; did you "
                                                 "mean workers.task?"));
  EXPECT_THAT(events_.reasons, ElementsAre("ConfigurationRefused"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_reload_total{result=\"error\"} 1\n"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_last_reload_successful 0\n"));
}

TEST_F(ConfigReloaderTest, FileThatCannotBeReadChangesNothingUntilItIsBack) {
  write(Error{ErrorCode::Invalid, "c.yaml: the configuration file cannot be read"});
  clock_.advance(1min);
  EXPECT_THAT(applied_, IsEmpty());
  EXPECT_EQ(log(LogLevel::Error).size(), 1u);
  write(std::string("drain: 10s\n"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_last_reload_successful 1\n"));
}

TEST_F(ConfigReloaderTest, KeysThatDoNotFitEachOtherAreRefused) {
  write(std::string("leaderElection: {leaseDuration: 5s}\nlog: {level: Debug}\n"));
  EXPECT_THAT(applied_, IsEmpty());
  EXPECT_THAT(log(LogLevel::Error), ElementsAre(HasSubstr("must be shorter than")));
}

TEST_F(ConfigReloaderTest, FileThatIsBeingWrittenIsNotTaken) {
  file_ = std::string();  // cut to nothing: that would be the defaults
  clock_.advance(2s);
  write(std::string("drain: 10s\nlog: {level: Debug}\n"));
  ASSERT_EQ(applied_.size(), 1u);
  EXPECT_EQ(applied_[0].log.level, LogLevel::Debug);
  EXPECT_EQ(applied_[0].drain, 10s);
}

TEST_F(ConfigReloaderTest, ColdKeyKeepsItsValueAndSaysSoUntilItIsTakenBack) {
  write(std::string("drain: 20s\nlog: {level: Warn}\n"));
  ASSERT_EQ(applied_.size(), 1u);
  EXPECT_EQ(applied_[0].log.level, LogLevel::Warn);
  EXPECT_THAT(log(LogLevel::Warn), ElementsAre(HasSubstr(R"(drain from \"10s\" to \"20s\")")));
  EXPECT_THAT(events_.reasons, ElementsAre("ConfigurationReloaded", "ConfigurationNeedsRestart"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_restart_required 1\n"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_reload_total{result=\"restart_required\"} 1\n"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_last_reload_successful 1\n"));
  write(std::string("drain: 10s\nlog: {level: Warn}\n"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_restart_required 0\n"));
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_reload_total{result=\"success\"} 1\n"));
}

TEST_F(ConfigReloaderTest, HotKeyTakesEffectAndIsTold) {
  write(std::string("drain: 10s\nevents: {burst: 7}\n"));
  ASSERT_EQ(applied_.size(), 1u);
  EXPECT_EQ(applied_[0].events.burst, 7);
  EXPECT_THAT(events_.notes, ElementsAre("Changed events.burst from \"100\" to \"7\""));
  EXPECT_THAT(log(LogLevel::Warn), IsEmpty());
}

TEST_F(ConfigReloaderTest, FlagStillWinsOverTheFile) {
  write(std::string("drain: 10s\nworkers: {agent: 3}\n"));
  ASSERT_EQ(applied_.size(), 1u);
  EXPECT_EQ(applied_[0].workers.agent, 9);
  EXPECT_THAT(metrics(), HasSubstr("convoke_config_restart_required 0\n"));
}

TEST_F(ConfigReloaderTest, FileThatStaysTheSameIsLeftAlone) {
  clock_.advance(1h);
  EXPECT_THAT(applied_, IsEmpty());
  EXPECT_THAT(log(LogLevel::Info), IsEmpty());
}

TEST_F(ConfigReloaderTest, RequestIsAnsweredAtOnceEvenIfNothingChanged) {
  file_ = std::string("drain: 10s\nlog: {level: Off}\n");
  reloader_->request();
  clock_.settle();
  ASSERT_EQ(applied_.size(), 1u);
  reloader_->request();
  clock_.settle();
  EXPECT_EQ(applied_.size(), 2u);
  EXPECT_EQ(log(LogLevel::Info).size(), 2u);
}

TEST_F(ConfigReloaderTest, WithoutAFileARequestSaysThatThereIsNone) {
  registry_ = std::make_unique<prometheus::Registry>();
  file_ = std::string();
  start(ConfigSource());
  const int reads = reads_;
  reloader_->request();
  clock_.advance(1min);
  EXPECT_EQ(reads_, reads);
  EXPECT_THAT(log(LogLevel::Warn), ElementsAre(HasSubstr("without --config")));
}

}  // namespace
}  // namespace convoke::programs
