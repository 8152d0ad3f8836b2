#include "controller/base/signals.h"

#include <cerrno>
#include <cstdint>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace convoke {

namespace {

sigset_t watched_signals(bool hangup) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (hangup) sigaddset(&set, SIGHUP);
  return set;
}

// As a shell reports a process that a signal ended.
constexpr int kExitBySignal = 128;

}  // namespace

SignalStop::SignalStop(Clock& clock, std::function<void(int)> on_stop, std::function<void()> on_hangup)
    : on_stop_(std::move(on_stop)), on_hangup_(std::move(on_hangup)) {
  const sigset_t signals = watched_signals(on_hangup_ != nullptr);
  pthread_sigmask(SIG_BLOCK, &signals, &former_mask_);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &former_pipe_);

  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
  end_fd_ = eventfd(0, EFD_CLOEXEC);
  thread_ = clock.start_thread("signals", [this] { watch(); });
}

SignalStop::~SignalStop() {
  const std::uint64_t one = 1;
  while (write(end_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_->join();
  close(signal_fd_);
  close(end_fd_);
  sigaction(SIGPIPE, &former_pipe_, nullptr);
  pthread_sigmask(SIG_SETMASK, &former_mask_, nullptr);
}

void SignalStop::watch() {
  bool asked = false;
  for (;;) {
    pollfd fds[] = {{signal_fd_, POLLIN, 0}, {end_fd_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (fds[1].revents != 0) return;
    signalfd_siginfo info{};
    if (read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGHUP) {
      on_hangup_();
      continue;
    }
    if (asked) _exit(kExitBySignal + signal);
    asked = true;
    on_stop_(signal);
  }
}

void SignalStop::restore_for_child() {
  const sigset_t signals = watched_signals(true);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGPIPE, &standard, nullptr);
}

}  // namespace convoke
