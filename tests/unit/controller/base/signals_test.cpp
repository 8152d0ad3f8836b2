#include "controller/base/signals.h"

#include <cerrno>
#include <csignal>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"

namespace convoke {
namespace {

// Collects the signals that arrive; wait_for_one() blocks until there is one.
class Received {
 public:
  explicit Received(Clock& clock) : changed_(clock.make_condition()) {}
  void add(int signal) {
    const MutexLock lock(mutex_);
    signals_.push_back(signal);
    changed_->notify_all();
  }
  std::vector<int> wait_for_one() { return wait_for(1); }
  std::vector<int> wait_for(std::size_t count) {
    const MutexLock lock(mutex_);
    while (signals_.size() < count) changed_->wait(mutex_);
    return signals_;
  }

 private:
  Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  std::vector<int> signals_ GUARDED_BY(mutex_);
};

void stop_twice() {
  SystemClock clock;
  Received received(clock);
  const SignalStop signals(clock, [&](int signal) { received.add(signal); });
  kill(getpid(), SIGINT);
  received.wait_for_one();
  kill(getpid(), SIGTERM);
  for (;;) pause();
}

TEST(SignalStopDeathTest, SecondSignalEndsTheProcessAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(stop_twice(), testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(SignalStop, SignalBecomesACallback) {
  for (const int signal : {SIGTERM, SIGINT}) {
    SystemClock clock;
    Received received(clock);
    const SignalStop signals(clock, [&](int got) { received.add(got); });
    kill(getpid(), signal);
    EXPECT_EQ(received.wait_for_one(), std::vector<int>{signal});
  }
}

TEST(SignalStop, HangupIsNoStopAndComesAsOftenAsItIsSent) {
  SystemClock clock;
  Received stops(clock);
  Received hangups(clock);
  const SignalStop signals(
      clock, [&](int signal) { stops.add(signal); }, [&] { hangups.add(SIGHUP); });
  kill(getpid(), SIGHUP);
  EXPECT_EQ(hangups.wait_for_one(), std::vector<int>{SIGHUP});
  kill(getpid(), SIGTERM);
  EXPECT_EQ(stops.wait_for_one(), std::vector<int>{SIGTERM});
  kill(getpid(), SIGHUP);
  EXPECT_EQ(hangups.wait_for(2), (std::vector<int>{SIGHUP, SIGHUP}));
}

TEST(SignalStop, WritingToAClosedPipeIsAnErrorAndNotTheEnd) {
  SystemClock clock;
  const SignalStop signals(clock, [](int) {});
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
}

TEST(SignalStop, ChildThatRestoresDiesOfASignalAsUsual) {
  SystemClock clock;
  const SignalStop signals(clock, [](int) {});
  const pid_t child = fork();
  if (child == 0) {
    SignalStop::restore_for_child();
    for (;;) pause();
  }
  kill(child, SIGTERM);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(SignalStop, SignalsHaveTheirFormerEffectAfterwards) {
  {
    SystemClock clock;
    const SignalStop signals(clock, [](int) {});
  }
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_FALSE(sigismember(&mask, SIGTERM));
  struct sigaction pipe_action {};
  sigaction(SIGPIPE, nullptr, &pipe_action);
  EXPECT_EQ(pipe_action.sa_handler, SIG_DFL);
}

}  // namespace
}  // namespace convoke
