#include "controller/runtime/manager_sequence.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Diary = std::vector<std::string>;

class FakeEndpoint final : public Endpoint {
 public:
  FakeEndpoint(Diary& diary, std::string name) : diary_(diary), name_(std::move(name)) {}
  Status start() override {
    if (fails) return Error{ErrorCode::Unavailable, "address in use"};
    diary_.push_back("start " + name_);
    return {};
  }
  void stop() override { diary_.push_back("stop " + name_); }

  bool fails = false;

 private:
  Diary& diary_;
  const std::string name_;
};

class FakeCache final : public CachePart {
 public:
  FakeCache(Clock& clock, Diary& diary) : clock_(clock), diary_(diary) {}
  void start() override { diary_.push_back("start cache"); }
  void stop() override { diary_.push_back("stop cache"); }
  bool synced() const override { return is_synced; }
  bool wait_synced(Duration timeout) override {
    if (!is_synced) StopSignal(clock_).sleep_for(timeout);
    return is_synced;
  }
  std::string name() const override { return "things.convoke.dev"; }
  std::string last_error() const override { return error; }

  bool is_synced = true;
  std::string error;

 private:
  Clock& clock_;
  Diary& diary_;
};

class FakeLeader final : public LeaderPart {
 public:
  explicit FakeLeader(Diary& diary) : diary_(diary) {}
  void start() override { diary_.push_back("start election"); }
  void stop(bool release) override { diary_.push_back(release ? "release lease" : "keep lease"); }

 private:
  Diary& diary_;
};

class FakeWorker final : public WorkerPart {
 public:
  FakeWorker(Clock& clock, Diary& diary, std::string name)
      : clock_(clock), diary_(diary), name_(std::move(name)) {}
  void start() override { diary_.push_back("start " + name_); }
  bool stop(Duration drain) override {
    StopSignal(clock_).sleep_for(std::min(drain, work_left));
    diary_.push_back("drained " + name_);
    return work_left <= drain;
  }
  std::string name() const override { return name_; }

  Duration work_left = 0s;

 private:
  Clock& clock_;
  Diary& diary_;
  const std::string name_;
};

class FakeEvents final : public EventPart {
 public:
  explicit FakeEvents(Diary& diary) : diary_(diary) {}
  void start() override { diary_.push_back("start events"); }
  void stop(Duration) override { diary_.push_back("flush events"); }

 private:
  Diary& diary_;
};

class LineSink final : public LogSink {
 public:
  void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

class ManagerSequenceTest : public testing::Test {
 protected:
  ~ManagerSequenceTest() override {
    if (sequence_) sequence_->request_stop();
    runner_.reset();
  }

  void run(bool with_election = true) {
    SequenceParts parts;
    parts.endpoints = {&health_, &metrics_};
    auto cache = std::make_unique<FakeCache>(clock_, diary_);
    cache->is_synced = cache_synced_;
    cache_ = cache.get();
    parts.caches.push_back(std::move(cache));
    if (with_election) parts.leader = std::make_unique<FakeLeader>(diary_);
    parts.on_leading.emplace_back([this] {
      diary_.emplace_back("on leading");
      return prepared_ ? Status() : Status(ErrorCode::Unavailable, "no answer");
    });
    auto worker = std::make_unique<FakeWorker>(clock_, diary_, "tasks");
    worker_ = worker.get();
    parts.workers.push_back(std::move(worker));
    parts.workers.push_back(std::make_unique<FakeWorker>(clock_, diary_, "runs"));
    parts.events = std::make_unique<FakeEvents>(diary_);
    const Logger log(sink_, clock_, LogLevel::Info, LogFormat::Text);
    sequence_.emplace(clock_, log, std::move(parts), ManagerOptions{});
    runner_ = clock_.start_thread("run", [this] { result_ = sequence_->run(); });
    clock_.settle();
  }
  Diary diary_of_stop() {
    diary_.clear();
    sequence_->request_stop();
    clock_.advance(1min);
    return diary_;
  }

  fakes::FakeClock clock_;
  Diary diary_;
  std::shared_ptr<LineSink> sink_ = std::make_shared<LineSink>();
  FakeEndpoint health_{diary_, "health"};
  FakeEndpoint metrics_{diary_, "metrics"};
  bool cache_synced_ = true;
  bool prepared_ = true;
  FakeCache* cache_ = nullptr;
  FakeWorker* worker_ = nullptr;
  std::optional<ManagerSequence> sequence_;
  std::optional<Status> result_;
  std::unique_ptr<Thread> runner_;
};

TEST_F(ManagerSequenceTest, EndpointThatCannotStartEndsAllThatBeganAndIsTheResult) {
  metrics_.fails = true;
  run();
  EXPECT_THAT(diary_, ElementsAre("start events", "start health", "stop health", "flush events"));
  ASSERT_TRUE(result_);
  EXPECT_EQ((*result_).error().message, "starting endpoints: address in use");
}

TEST_F(ManagerSequenceTest, LostLeadershipStopsAllAndIsAnError) {
  run();
  sequence_->leadership_gained();
  clock_.settle();
  diary_.clear();
  sequence_->leadership_lost();
  clock_.settle();
  EXPECT_THAT(diary_, ElementsAre("drained tasks", "drained runs", "stop cache", "stop metrics",
                                  "stop health", "release lease", "flush events"));
  ASSERT_TRUE(result_);
  EXPECT_THAT((*result_).error().message, HasSubstr("leadership was lost"));
}

TEST_F(ManagerSequenceTest, LeaseIsKeptWhileAWorkerHasNotEnded) {
  run();
  sequence_->leadership_gained();
  clock_.settle();
  worker_->work_left = 5min;
  const auto asked = clock_.monotonic_now();
  EXPECT_THAT(diary_of_stop(), ElementsAre("drained runs", "drained tasks", "stop cache", "stop metrics",
                                           "stop health", "keep lease", "flush events"));
  EXPECT_EQ(clock_.monotonic_now(), asked + 1min);
  EXPECT_THAT(sink_->lines.back(), HasSubstr("workers did not end in time"));
}

TEST_F(ManagerSequenceTest, UnsyncedCacheIsNamedWithItsErrorAgainAndAgain) {
  cache_synced_ = false;
  run();
  cache_->error = "the server has no things.convoke.dev: install the CRDs";
  clock_.advance(4min + 1s);
  EXPECT_EQ(std::count_if(
                sink_->lines.begin(), sink_->lines.end(),
                [](const std::string& line) { return line.find("install the CRDs") != std::string::npos; }),
            2);
  EXPECT_FALSE(sequence_->caches_synced());
  EXPECT_THAT(sequence_->unsynced(),
              ElementsAre("things.convoke.dev: the server has no things.convoke.dev: install the CRDs"));

  cache_->is_synced = true;
  clock_.advance(1s);
  EXPECT_THAT(sequence_->unsynced(), IsEmpty());
  EXPECT_EQ(diary_.back(), "start election");
}

TEST_F(ManagerSequenceTest, StopWhileCachesSyncStartsNothingMore) {
  cache_synced_ = false;
  run();
  EXPECT_THAT(diary_of_stop(), ElementsAre("stop cache", "stop metrics", "stop health", "flush events"));
  EXPECT_TRUE((*result_).has_value());
}

TEST_F(ManagerSequenceTest, StandbyHasWarmCachesAndNoWorkers) {
  run();
  clock_.advance(1h);
  EXPECT_TRUE(sequence_->caches_synced());
  EXPECT_THAT(diary_,
              ElementsAre("start events", "start health", "start metrics", "start cache", "start election"));
  EXPECT_THAT(diary_of_stop(),
              ElementsAre("stop cache", "stop metrics", "stop health", "release lease", "flush events"));
  EXPECT_TRUE((*result_).has_value());
}

TEST_F(ManagerSequenceTest, PartsStartAndStopInOrder) {
  run();
  sequence_->leadership_gained();
  clock_.settle();
  EXPECT_THAT(diary_, ElementsAre("start events", "start health", "start metrics", "start cache",
                                  "start election", "on leading", "start tasks", "start runs"));
  EXPECT_THAT(diary_of_stop(), ElementsAre("drained tasks", "drained runs", "stop cache", "stop metrics",
                                           "stop health", "release lease", "flush events"));
  EXPECT_TRUE((*result_).has_value());
}

TEST_F(ManagerSequenceTest, WorkersWaitUntilALeaderHasWhatItNeeds) {
  prepared_ = false;
  run();
  sequence_->leadership_gained();
  clock_.settle();
  EXPECT_EQ(diary_.back(), "on leading");
  EXPECT_THAT(sink_->lines.back(), HasSubstr("no answer"));
  prepared_ = true;
  clock_.advance(1s);
  EXPECT_EQ(diary_.back(), "start runs");
}

TEST_F(ManagerSequenceTest, LeaderThatNeverHasWhatItNeedsCanBeStopped) {
  prepared_ = false;
  run();
  sequence_->leadership_gained();
  clock_.advance(10s);
  EXPECT_THAT(diary_of_stop(), ElementsAre("drained tasks", "drained runs", "stop cache", "stop metrics",
                                           "stop health", "release lease", "flush events"));
}

TEST_F(ManagerSequenceTest, WithoutElectionItLeadsAtOnce) {
  run(false);
  EXPECT_EQ(diary_.back(), "start runs");
  EXPECT_THAT(diary_of_stop(), ElementsAre("drained tasks", "drained runs", "stop cache", "stop metrics",
                                           "stop health", "flush events"));
}

}  // namespace
}  // namespace convoke::runtime
