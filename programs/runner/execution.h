// One assignment in the hands of this process: its command, its progress and its outcome.
//
// Thread safety: start, fail, refuse, news, said, next_kill_step and send are called by the one reconcile of
// its Task; the rest from every thread. Ownership: belongs to the Executions; joins the command's supervisor
// when it is destroyed, so it is never destroyed in `on_end`.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "programs/runner/command.h"
#include "programs/runner/decide.h"
#include "programs/runner/process.h"
#include "programs/runner/report.h"

namespace convoke::runner {

// What starting a command needs; all of it outlives the executions.
struct Workshop {
  const RunnerConfig& config;
  ProcessLauncher& launcher;
  std::string work_directory;            // of the attempts' private folders
  std::vector<std::string> environment;  // that commands inherit
};

class Execution {
 public:
  // `end` is empty if the command could not even start.
  using EndHandler = std::function<void(const CommandEnd* end)>;

  Execution(std::shared_ptr<const api::Task> task, std::string started_at);

  const api::Task& task() const { return *task_; }
  const ReportSubject& subject() const { return subject_; }
  ExecutionFacts facts() const;
  Progress progress() const;
  Outcome outcome() const;

  // Claiming -> Running, or Ended at once if it cannot start. `on_end` is called after the outcome is there.
  void start(const Workshop& workshop, EndHandler on_end);
  // -> Ended, with that outcome.
  void fail(Outcome outcome);
  // The API server does not want to hear of it any more.
  void refuse();

  // Reads the progress file: what the API does not know yet, if anything.
  std::optional<Progress> news();
  void said(const Progress& progress);

  struct KillStep {
    int signal = 0;        // to be sent now; 0: none
    Duration again_after;  // ask again then
  };
  // How to end the command: TERM at first, KILL from `kill_after` later on. Its outcome becomes `instead`, or
  // nothing that anybody wants to know; the first call decides.
  KillStep next_kill_step(MonotonicTime now, Duration kill_after, std::optional<Outcome> instead);
  void send(int signal);

 private:
  void on_command_end(const RunnerConfig& config, const CommandEnd& end);

  const std::shared_ptr<const api::Task> task_;
  const ReportSubject subject_;

  mutable Mutex mutex_;
  Stage stage_ GUARDED_BY(mutex_) = Stage::Claiming;
  bool refused_ GUARDED_BY(mutex_) = false;
  Progress progress_ GUARDED_BY(mutex_);
  Progress said_ GUARDED_BY(mutex_);
  Outcome outcome_ GUARDED_BY(mutex_);
  std::optional<Outcome> outcome_instead_ GUARDED_BY(mutex_);
  std::optional<MonotonicTime> killed_at_ GUARDED_BY(mutex_);
  std::shared_ptr<const AttemptFolder> folder_ GUARDED_BY(mutex_);
  std::unique_ptr<Process> process_;  // last: joined before the rest goes
};

}  // namespace convoke::runner
