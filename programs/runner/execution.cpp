#include "programs/runner/execution.h"

#include <csignal>
#include <utility>

namespace convoke::runner {

namespace {

constexpr Duration kKillAgain = std::chrono::seconds(1);

}  // namespace

Execution::Execution(std::shared_ptr<const api::Task> task, std::string started_at)
    : task_(std::move(task)), subject_{task_->status.assignment.id, std::move(started_at)} {}

ExecutionFacts Execution::facts() const {
  MutexLock lock(mutex_);
  return {subject_.assignment_id, stage_, refused_};
}

Progress Execution::progress() const {
  MutexLock lock(mutex_);
  return progress_;
}

Outcome Execution::outcome() const {
  MutexLock lock(mutex_);
  return outcome_;
}

void Execution::start(const Workshop& workshop, EndHandler on_end) {
  const auto give_up = [&](const Error& error) {
    fail(failure("CannotStart", error.message, true));
    on_end(nullptr);
  };
  auto made = AttemptFolder::make(workshop.work_directory);
  if (!made) return give_up(made.error());
  const auto folder = std::make_shared<const AttemptFolder>(std::move(*made));
  {
    MutexLock lock(mutex_);
    folder_ = folder;
    stage_ = Stage::Running;
  }
  const auto command = command_for(workshop.config, *task_, *folder, workshop.environment);
  auto process =
      workshop.launcher.launch(command, [this, &config = workshop.config, on_end](const CommandEnd& end) {
        on_command_end(config, end);
        on_end(&end);
      });
  if (!process) return give_up(process.error());
  process_ = std::move(*process);
}

void Execution::fail(Outcome outcome) {
  MutexLock lock(mutex_);
  outcome_ = std::move(outcome);
  stage_ = Stage::Ended;
  folder_.reset();
}

void Execution::refuse() {
  MutexLock lock(mutex_);
  refused_ = true;
}

std::optional<Progress> Execution::news() {
  std::shared_ptr<const AttemptFolder> folder;
  Progress before;
  {
    MutexLock lock(mutex_);
    folder = folder_;
    before = progress_;
  }
  if (folder == nullptr) return std::nullopt;
  const auto now = parse_progress(folder->progress_tail(), before);
  MutexLock lock(mutex_);
  progress_ = now;
  return now == said_ ? std::nullopt : std::optional(now);
}

void Execution::said(const Progress& progress) {
  MutexLock lock(mutex_);
  said_ = progress;
}

Execution::KillStep Execution::next_kill_step(MonotonicTime now, Duration kill_after,
                                              std::optional<Outcome> instead) {
  MutexLock lock(mutex_);
  if (!killed_at_) {
    killed_at_ = now;
    outcome_instead_ = std::move(instead);
    return {SIGTERM, kill_after};
  }
  if (now - *killed_at_ >= kill_after) return {SIGKILL, kKillAgain};
  return {0, *killed_at_ + kill_after - now};
}

void Execution::send(int signal) {
  if (process_) process_->signal_group(signal);
}

void Execution::on_command_end(const RunnerConfig& config, const CommandEnd& end) {
  std::shared_ptr<const AttemptFolder> folder;
  Progress progress;
  {
    MutexLock lock(mutex_);
    folder.swap(folder_);
    progress = progress_;
  }
  CommandResult result;
  result.end = end;
  result.exit_code_is_final = exit_code_is_final(config, task_->spec.type, end.exit_code);
  folder->read_output(result);
  progress = parse_progress(folder->progress_tail(), progress);
  folder.reset();  // before anybody hears of the end

  MutexLock lock(mutex_);
  progress_ = progress;
  const bool nobody_asks = killed_at_ && !outcome_instead_;
  if (!nobody_asks) outcome_ = outcome_instead_ ? *outcome_instead_ : judge(result);
  stage_ = nobody_asks ? Stage::Closed : Stage::Ended;
}

}  // namespace convoke::runner
