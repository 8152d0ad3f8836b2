#include "programs/runner/process.h"

#include <csignal>
#include <optional>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "controller/base/mutex.h"
#include "controller/base/signals.h"
#include "programs/runner/fd.h"
#include "programs/runner/output_stream.h"

namespace convoke::runner {

namespace {

constexpr std::size_t kTailBytes = std::size_t{64} * 1024;
constexpr int kCannotRun = 127;  // as a shell says it

std::string system_error(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

// What the child does between fork and exec: only async-signal-safe calls. A failure is told through
// `failed`.
struct ChildSetup {
  const Guardian& guardian;
  int input, output, error, failed;
  const char* directory;
  char* const* arguments;
  char* const* environment;

  [[noreturn]] void run() const {
    ::setpgid(0, 0);
    guardian.enter(::getpid());
    SignalStop::restore_for_child();
    ::dup2(input, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(error, STDERR_FILENO);
    // Not all libraries mark their sockets.
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    if (directory == nullptr || ::chdir(directory) == 0) ::execvpe(arguments[0], arguments, environment);
    const int code = errno;
    (void)!::write(failed, &code, sizeof code);
    ::_exit(kCannotRun);
  }
};

// Our ends of what connects us with a command that runs.
struct Ends {
  Fd pid_fd;
  Fd input;
  Fd output;
  Fd error;
};

class RealProcess final : public Process {
 public:
  RealProcess(pid_t pid, Ends ends, std::string text, const Logger& log, const Guardian& guardian,
              std::function<void(const CommandEnd&)> on_end)
      : pid_(pid),
        guardian_(guardian),
        log_(log.with({{"pid", static_cast<long>(pid)}})),
        pid_fd_(std::move(ends.pid_fd)),
        input_(std::move(ends.input)),
        output_(std::move(ends.output), kTailBytes, line_logger("stdout")),
        error_(std::move(ends.error), kTailBytes, line_logger("stderr")),
        text_(std::move(text)),
        on_end_(std::move(on_end)) {
    input_.set_non_blocking();
    if (text_.empty()) input_.reset();
  }

  ~RealProcess() override { signal_group(SIGKILL); }
  RealProcess(const RealProcess&) = delete;
  RealProcess& operator=(const RealProcess&) = delete;

  void supervise_with(Clock& clock) {
    supervisor_ = clock.start_thread("command", [this] { supervise(); });
  }

  pid_t pid() const override { return pid_; }

  // The group's id stays taken while its first process is not reaped, so a signal cannot hit a stranger.
  void signal_group(int signal) override {
    MutexLock lock(mutex_);
    if (!reaped_) ::kill(-pid_, signal);
  }

 private:
  OutputStream::LineHandler line_logger(const char* stream) const {
    return [this, stream](std::string_view line) {
      log_.debug("the command said", {{"stream", stream}, {"line", line}});
    };
  }

  void supervise() {
    while (!exchange()) {
    }
    on_end_(reap());
  }

  // Moves bytes once; true when the first process has ended.
  bool exchange() {
    std::array<pollfd, 4> fds{pollfd{pid_fd_.get(), POLLIN, 0}, pollfd{input_.get(), POLLOUT, 0},
                              pollfd{output_.fd(), POLLIN, 0}, pollfd{error_.fd(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0) return errno != EINTR;
    if (fds[1].revents != 0) feed();
    if (fds[2].revents != 0) output_.read_some();
    if (fds[3].revents != 0) error_.read_some();
    return fds[0].revents != 0;
  }

  void feed() {
    const auto written = ::write(input_.get(), text_.data() + fed_, text_.size() - fed_);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (written > 0) fed_ += static_cast<std::size_t>(written);
    if (written <= 0 || fed_ == text_.size()) input_.reset();
  }

  CommandEnd reap() {
    siginfo_t info{};
    {
      MutexLock lock(mutex_);
      // Before it is reaped: the group's id is still ours.
      ::kill(-pid_, SIGKILL);
      guardian_.leave(pid_);
      while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
      }
      reaped_ = true;
    }
    output_.finish();
    error_.finish();
    CommandEnd end;
    (info.si_code == CLD_EXITED ? end.exit_code : end.signal) = info.si_status;
    end.error_tail = error_.tail();
    end.output_tail = output_.tail();
    return end;
  }

  const pid_t pid_;
  const Guardian& guardian_;
  const Logger log_;
  const Fd pid_fd_;
  Fd input_;
  OutputStream output_;
  OutputStream error_;
  const std::string text_;
  std::size_t fed_ = 0;
  std::function<void(const CommandEnd&)> on_end_;
  Mutex mutex_;
  bool reaped_ GUARDED_BY(mutex_) = false;
  std::unique_ptr<Thread> supervisor_;  // last: joined before the rest goes
};

class RealLauncher final : public ProcessLauncher {
 public:
  RealLauncher(Clock& clock, const Logger& log, const Guardian& guardian)
      : clock_(clock), log_(log), guardian_(guardian) {}

  Result<std::unique_ptr<Process>> launch(const Command& command,
                                          std::function<void(const CommandEnd&)> on_end) override {
    auto input = make_pipe();
    auto output = make_pipe();
    auto error = make_pipe();
    auto failed = make_pipe();
    for (const auto* pipe : {&input, &output, &error, &failed}) {
      if (!*pipe) return pipe->error();
    }
    const auto arguments = pointers(command.arguments);
    const auto environment = pointers(command.environment);
    const ChildSetup setup{guardian_,
                           input->read_end.get(),
                           output->write_end.get(),
                           error->write_end.get(),
                           failed->write_end.get(),
                           command.working_directory.empty() ? nullptr : command.working_directory.c_str(),
                           arguments.data(),
                           environment.data()};
    const pid_t pid = ::fork();
    if (pid < 0) return Error{ErrorCode::Unavailable, system_error("starting a process")};
    if (pid == 0) setup.run();
    ::setpgid(pid, pid);  // in both, so that neither can be too late
    failed->write_end.reset();
    Fd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (const auto problem = start_problem(command, failed->read_end, pid_fd)) return abandon(pid, *problem);

    auto process =
        std::make_unique<RealProcess>(pid,
                                      Ends{std::move(pid_fd), std::move(input->write_end),
                                           std::move(output->read_end), std::move(error->read_end)},
                                      command.input, log_, guardian_, std::move(on_end));
    process->supervise_with(clock_);
    return std::unique_ptr<Process>(std::move(process));
  }

 private:
  static std::optional<Error> start_problem(const Command& command, const Fd& failed, const Fd& pid_fd) {
    if (!pid_fd.is_open()) return Error{ErrorCode::Unavailable, system_error("watching a process")};
    int code = 0;
    ssize_t got = 0;
    do {  // the pipe closes without a word when exec succeeds
      got = ::read(failed.get(), &code, sizeof code);
    } while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(sizeof code)) return std::nullopt;
    const std::string where = command.working_directory.empty() ? "" : " in " + command.working_directory;
    return Error{ErrorCode::Invalid,
                 "cannot run \"" + command.arguments.front() + "\"" + where + ": " + std::strerror(code)};
  }

  Error abandon(pid_t pid, const Error& error) const {
    ::kill(-pid, SIGKILL);
    guardian_.leave(pid);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return error;
  }

  Clock& clock_;
  const Logger log_;
  const Guardian& guardian_;
};

}  // namespace

std::unique_ptr<ProcessLauncher> make_process_launcher(Clock& clock, const Logger& log,
                                                       const Guardian& guardian) {
  return std::make_unique<RealLauncher>(clock, log, guardian);
}

}  // namespace convoke::runner
