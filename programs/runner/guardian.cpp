#include "programs/runner/guardian.h"

#include <algorithm>
#include <array>
#include <csignal>

#include <sys/prctl.h>
#include <sys/wait.h>

namespace convoke::runner {

namespace {

constexpr std::size_t kMaxGroups = 4096;

// The other process: async-signal-safe calls only, since it is a fork.
class Watch {
 public:
  [[noreturn]] void run(int line) {
    detach(line);
    pid_t message = 0;
    for (;;) {
      const auto got = ::read(line, &message, sizeof message);
      if (got == static_cast<ssize_t>(sizeof message)) {
        note(message);
      } else if (got >= 0 || errno != EINTR) {
        break;  // the last writer is gone
      }
    }
    std::for_each(groups_.begin(), end_, [](pid_t group) { ::kill(-group, SIGKILL); });
    ::_exit(0);
  }

 private:
  // No signal that is meant for the runner or its terminal may end it, and it holds nothing open.
  static void detach(int line) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    ::setsid();
    ::prctl(PR_SET_NAME, "convoke-guard");
    const auto kept = static_cast<unsigned>(line);
    if (kept > 0) ::close_range(0, kept - 1, 0);
    ::close_range(kept + 1, ~0U, 0);
  }

  void note(pid_t message) {
    if (message < 0) {
      end_ = std::remove(groups_.begin(), end_, -message);
    } else if (end_ != groups_.end()) {
      *end_++ = message;
    }
  }

  std::array<pid_t, kMaxGroups> groups_{};
  std::array<pid_t, kMaxGroups>::iterator end_ = groups_.begin();
};

}  // namespace

Result<std::unique_ptr<Guardian>> Guardian::start() {
  auto line = make_pipe();
  if (!line) return line.error();
  const pid_t pid = ::fork();
  if (pid < 0)
    return Error{ErrorCode::Unavailable, std::string("starting a process: ") + std::strerror(errno)};
  if (pid == 0) {
    line->write_end.reset();
    Watch().run(line->read_end.get());
  }
  return std::unique_ptr<Guardian>(new Guardian(pid, std::move(line->write_end)));
}

Guardian::~Guardian() {
  line_.reset();
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Guardian::tell(pid_t message) const {
  while (::write(line_.get(), &message, sizeof message) < 0 && errno == EINTR) {
  }
}

}  // namespace convoke::runner
