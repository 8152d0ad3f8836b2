#include "programs/runner/guardian.h"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>

namespace convoke::runner {
namespace {

// A process group of one that waits for a signal. To be made before the Guardian: a child that does not exec
// would keep the Guardian's line open.
pid_t start_group() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;) ::pause();
  }
  ::setpgid(pid, pid);
  return pid;
}

int signal_that_ended(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(Guardian, KillsWhatIsStillEnteredWhenItsLineIsCut) {
  const pid_t first = start_group();
  const pid_t second = start_group();
  auto guardian = *Guardian::start();
  guardian->enter(first);
  guardian->enter(second);
  guardian.reset();  // a runner that is killed cuts the line as well
  EXPECT_EQ(signal_that_ended(first), SIGKILL);
  EXPECT_EQ(signal_that_ended(second), SIGKILL);
}

TEST(Guardian, LeavesAloneWhatHasLeft) {
  const pid_t first = start_group();
  const pid_t second = start_group();
  auto guardian = *Guardian::start();
  guardian->enter(first);
  guardian->enter(second);
  guardian->leave(first);
  guardian.reset();  // joins: its work is done
  EXPECT_EQ(signal_that_ended(second), SIGKILL);
  ::kill(first, SIGTERM);
  EXPECT_EQ(signal_that_ended(first), SIGTERM);
}

}  // namespace
}  // namespace convoke::runner
