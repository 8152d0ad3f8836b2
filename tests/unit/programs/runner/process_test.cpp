#include "programs/runner/process.h"

#include <array>
#include <csignal>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/mutex.h"
#include "controller/base/signals.h"
#include "programs/runner/fd.h"
#include "programs/runner/tail_buffer.h"

namespace convoke::runner {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr Duration kPatience = 30s;

class KeepingSink final : public LogSink {
 public:
  void write(LogLevel, std::string_view line) override {
    MutexLock lock(mutex_);
    text_ += std::string(line) + "\n";
  }
  std::string text() {
    MutexLock lock(mutex_);
    return text_;
  }

 private:
  Mutex mutex_;
  std::string text_ GUARDED_BY(mutex_);
};

// Commands of the real /bin/sh.
class ProcessTest : public ::testing::Test {
 protected:
  void run(const std::string& script, const std::string& input = "") {
    launch({{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin", "GREETING=hello"}, "", input});
    ASSERT_NE(process, nullptr);
  }

  void launch(const Command& command) {
    auto launched = launcher->launch(command, [this](const CommandEnd& how) {
      MutexLock lock(mutex);
      end = how;
      ended->notify_all();
    });
    if (!launched) {
      problem = launched.error().message;
      return;
    }
    process = std::move(*launched);
  }

  CommandEnd wait_for_end() {
    const auto deadline = clock.monotonic_now() + kPatience;
    MutexLock lock(mutex);
    while (!end) {
      if (!ended->wait_until(mutex, deadline)) break;
    }
    EXPECT_TRUE(end) << "the command did not end";
    return end.value_or(CommandEnd{});
  }

  SystemClock clock;
  const SignalStop signals{clock, [](int) {}};  // as in main()
  std::unique_ptr<Guardian> guardian = *Guardian::start();
  std::shared_ptr<KeepingSink> log = std::make_shared<KeepingSink>();
  std::unique_ptr<ProcessLauncher> launcher =
      make_process_launcher(clock, Logger(log, clock, LogLevel::Debug, LogFormat::Text), *guardian);
  Mutex mutex;
  std::unique_ptr<Condition> ended = clock.make_condition();
  std::optional<CommandEnd> end GUARDED_BY(mutex);
  std::string problem;
  std::unique_ptr<Process> process;  // joined first
};

// A named pipe that a command opens for writing as descriptor 9, and all that it starts inherit: tells when
// the command is ready, and when the last process that has it is gone.
class Watchdog {
 public:
  Watchdog() : path_(::testing::TempDir() + "/watchdog-" + std::to_string(::getpid())) {
    EXPECT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    read_end_ = Fd(::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  ~Watchdog() { ::unlink(path_.c_str()); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // To stand in a script where it is ready.
  std::string ready() const { return "exec 9>" + path_ + "; echo ready >&9; "; }
  void wait_ready() const {
    std::array<char, 6> line{};
    EXPECT_TRUE(waits_for(POLLIN));
    EXPECT_EQ(::read(read_end_.get(), line.data(), line.size()), 6);
  }
  bool all_gone() const { return waits_for(POLLHUP); }

 private:
  bool waits_for(short event) const {
    constexpr int kPatienceMs = 30'000;
    pollfd fd{read_end_.get(), POLLIN, 0};
    return ::poll(&fd, 1, kPatienceMs) == 1 && (fd.revents & event) != 0;
  }

  const std::string path_;
  Fd read_end_;
};

// --- What goes wrong ---

TEST_F(ProcessTest, AProgramThatDoesNotExistIsAnErrorThatNamesIt) {
  launch({{"/no/such/program"}, {}, "", ""});
  EXPECT_THAT(problem, AllOf(HasSubstr("/no/such/program"), HasSubstr("No such file")));
}

TEST_F(ProcessTest, AFolderThatDoesNotExistIsAnErrorThatNamesIt) {
  launch({{"/bin/true"}, {}, "/no/such/folder", ""});
  EXPECT_THAT(problem, HasSubstr("/no/such/folder"));
}

TEST_F(ProcessTest, AnExitCodeAndTheEndOfStandardErrorAreReported) {
  run("echo out; echo problem >&2; exit 3");
  const auto how = wait_for_end();
  EXPECT_EQ(how.exit_code, 3);
  EXPECT_EQ(how.signal, 0);
  EXPECT_EQ(how.error_tail, "problem\n");
  EXPECT_EQ(how.output_tail, "out\n");
}

TEST_F(ProcessTest, ASignalIsReported) {
  run("kill -SEGV $$");
  EXPECT_EQ(wait_for_end().signal, SIGSEGV);
}

TEST_F(ProcessTest, ACommandThatDoesNotReadItsInputDoesNoHarm) {
  run("exec true", std::string(1024 * 1024, 'x'));
  EXPECT_EQ(wait_for_end().exit_code, 0);
}

TEST_F(ProcessTest, OfAHugeOutputTheEndIsKept) {
  run("head -c 10000000 /dev/zero | tr '\\0' x; echo the end; echo problem >&2");
  const auto how = wait_for_end();
  EXPECT_EQ(how.output_tail.size(), 64U * 1024);
  EXPECT_THAT(how.output_tail, EndsWith("the end\n"));
  EXPECT_EQ(how.error_tail, "problem\n");
}

// --- Killing ---

TEST_F(ProcessTest, ASignalReachesTheWholeGroup) {
  const Watchdog watchdog;
  run(watchdog.ready() + "sleep 1000 & (sleep 1000 & sleep 1000) & wait");
  watchdog.wait_ready();
  process->signal_group(SIGTERM);
  EXPECT_EQ(wait_for_end().signal, SIGTERM);
  EXPECT_TRUE(watchdog.all_gone());
}

TEST_F(ProcessTest, ACommandThatIgnoresTermDiesByKill) {
  const Watchdog watchdog;
  run("trap '' TERM; " + watchdog.ready() + "while :; do sleep 1000; done");
  watchdog.wait_ready();
  process->signal_group(SIGTERM);
  process->signal_group(SIGKILL);
  EXPECT_EQ(wait_for_end().signal, SIGKILL);
  EXPECT_TRUE(watchdog.all_gone());
}

TEST_F(ProcessTest, WhatTheCommandLeavesInTheBackgroundIsKilledAtItsEnd) {
  const Watchdog watchdog;
  run(watchdog.ready() + "(trap '' TERM; sleep 1000) & exit 0");
  watchdog.wait_ready();
  EXPECT_EQ(wait_for_end().exit_code, 0);
  EXPECT_TRUE(watchdog.all_gone());
}

TEST_F(ProcessTest, AStrangerThatKeepsTheOutputOpenHoldsNobodyUp) {
  const Watchdog watchdog;
  run("setsid sh -c 'echo $$; " + watchdog.ready() + "exec sleep 1000' & trap : TERM; wait");
  watchdog.wait_ready();
  process->signal_group(SIGTERM);
  const auto how = wait_for_end();
  // It left the group, so it is not ours to kill: the test cleans up.
  const int stranger = std::atoi(how.output_tail.c_str());
  ASSERT_GT(stranger, 1);
  ::kill(stranger, SIGKILL);
  EXPECT_TRUE(watchdog.all_gone());
}

TEST_F(ProcessTest, AProcessThatIsDestroyedTakesItsCommandAlong) {
  const Watchdog watchdog;
  run(watchdog.ready() + "sleep 1000 & wait");
  watchdog.wait_ready();
  process.reset();
  EXPECT_TRUE(watchdog.all_gone());
}

TEST_F(ProcessTest, ASignalAfterTheEndHitsNobody) {
  run("exit 0");
  wait_for_end();
  process->signal_group(SIGKILL);
}

// --- What goes in and out ---

TEST_F(ProcessTest, InputEnvironmentAndGroupAreTheCommandsOwn) {
  run("cat; echo $GREETING; ps -o pgid= -p $$ | tr -d ' '; echo $$", "{\"a\":1}\n");
  const auto how = wait_for_end();
  const auto pid = std::to_string(process->pid());
  EXPECT_EQ(how.output_tail, "{\"a\":1}\nhello\n" + pid + "\n" + pid + "\n");
}

TEST_F(ProcessTest, ALargeInputAndALargeOutputDoNotBlockEachOther) {
  run("cat", std::string(1024 * 1024, 'x') + "!");
  const auto how = wait_for_end();
  EXPECT_EQ(how.exit_code, 0);
  EXPECT_THAT(how.output_tail, EndsWith("x!"));
}

TEST_F(ProcessTest, OnlyTheThreeStandardDescriptorsAreInherited) {
  const Fd leak(::open("/dev/null", O_RDONLY));
  run("ls /proc/self/fd | wc -l");
  // The fourth is the folder that ls reads.
  EXPECT_EQ(wait_for_end().output_tail, "4\n");
}

TEST_F(ProcessTest, LinesGoToTheLog) {
  run("echo one; echo two >&2; printf three");
  wait_for_end();
  EXPECT_THAT(log->text(), AllOf(HasSubstr("\"one\""), HasSubstr("\"two\""), HasSubstr("\"three\"")));
}

TEST(TailBuffer, KeepsTheEnd) {
  TailBuffer tail(4);
  EXPECT_EQ(tail.text(), "");
  tail.append("abc");
  EXPECT_EQ(tail.text(), "abc");
  tail.append("defgh");
  tail.append("i");
  EXPECT_EQ(tail.text(), "fghi");
}

}  // namespace
}  // namespace convoke::runner
