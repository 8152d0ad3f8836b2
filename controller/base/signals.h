// Asked to stop by the system: SIGTERM and SIGINT become a callback on a thread of its own, where everything
// may be done that is forbidden in a signal handler. A second one ends the process at once. SIGHUP becomes
// another callback, if one is given, each time. SIGPIPE is ignored.
//
//   SignalStop signals(clock, [&](int signal) { manager.request_stop(); });   // first of all in main()
//
// Thread safety: one for each process, made before any other thread starts, since those inherit the blocked
// signals. So do children: they call restore_for_child() between fork and exec. Ownership: what the callback
// uses outlives the SignalStop.
#pragma once

#include <csignal>
#include <functional>
#include <memory>

#include "controller/base/clock.h"

namespace convoke {

class SignalStop {
 public:
  SignalStop(Clock& clock, std::function<void(int signal)> on_stop, std::function<void()> on_hangup = {});
  // Ends the thread and gives the signals their former effect.
  ~SignalStop();
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;

  // Unblocks what was blocked and gives SIGPIPE its default effect. Async-signal-safe.
  static void restore_for_child();

 private:
  void watch();

  const std::function<void(int)> on_stop_;
  const std::function<void()> on_hangup_;
  sigset_t former_mask_{};
  struct sigaction former_pipe_ {};
  int signal_fd_ = -1;
  int end_fd_ = -1;
  std::unique_ptr<Thread> thread_;
};

}  // namespace convoke
