#include "controller/runtime/manager_sequence.h"

#include <atomic>
#include <utility>

namespace convoke::runtime {

namespace {

// How long a wait for caches goes on before it looks whether it was asked to stop.
constexpr std::chrono::milliseconds kSyncSlice{100};

// Between two tries of what has to be done before work begins.
constexpr std::chrono::seconds kPrepareDelay{1};

// What sending the last Events may take.
constexpr std::chrono::seconds kFlushTimeout{5};

}  // namespace

struct ManagerSequence::StartStep {
  Phase phase;
  const char* name;
  Status (ManagerSequence::*run)();
};

struct ManagerSequence::StopStep {
  Phase phase;  // undone only if it was begun
  const char* name;
  void (ManagerSequence::*run)();
};

ManagerSequence::ManagerSequence(Clock& clock, Logger log, SequenceParts parts, ManagerOptions options)
    : clock_(clock),
      log_(std::move(log)),
      parts_(std::move(parts)),
      options_(options),
      changed_(clock.make_condition()) {}

Status ManagerSequence::run() {
  Status result = start_all();
  if (result) wait_for_end();
  stop_all();

  const MutexLock lock(mutex_);
  if (result && lost_)
    result = Error{ErrorCode::Cancelled, "leadership was lost; the process should start afresh"};
  return result;
}

Status ManagerSequence::start_all() {
  static constexpr StartStep kOrder[] = {
      {Phase::Events, "events", &ManagerSequence::start_events},
      {Phase::Endpoints, "endpoints", &ManagerSequence::start_endpoints},
      {Phase::Caches, "caches", &ManagerSequence::start_caches},
      {Phase::Leadership, "leadership", &ManagerSequence::start_leadership},
      {Phase::Workers, "workers", &ManagerSequence::start_workers},
  };
  for (const StartStep& step : kOrder) {
    if (ending()) return {};
    log_.debug("starting", {{"phase", step.name}});
    begun_.insert(step.phase);
    const Status status = (this->*step.run)();
    if (!status) return status.error().with_context(std::string("starting ") + step.name);
  }
  return {};
}

void ManagerSequence::stop_all() {
  static constexpr StopStep kOrder[] = {
      {Phase::Workers, "workers drained", &ManagerSequence::drain_workers},
      {Phase::Caches, "caches", &ManagerSequence::stop_caches},
      {Phase::Endpoints, "endpoints", &ManagerSequence::stop_endpoints},
      {Phase::Leadership, "lease released", &ManagerSequence::release_lease},
      {Phase::Events, "events flushed", &ManagerSequence::flush_events},
  };
  for (const StopStep& step : kOrder) {
    if (!begun_.contains(step.phase)) continue;
    log_.debug("stopping", {{"phase", step.name}});
    (this->*step.run)();
  }
}

Status ManagerSequence::start_events() {
  if (parts_.events) parts_.events->start();
  return {};
}

Status ManagerSequence::start_endpoints() {
  for (Endpoint* endpoint : parts_.endpoints) {
    if (Status status = endpoint->start(); !status) return status;
    ++endpoints_started_;
  }
  return {};
}

Status ManagerSequence::start_caches() {
  const auto begin = clock_.monotonic_now();
  for (const auto& cache : parts_.caches) cache->start();

  auto warn_at = begin + options_.sync_timeout;
  for (const auto& cache : parts_.caches) {
    while (!cache->wait_synced(kSyncSlice)) {
      if (ending()) return {};
      if (clock_.monotonic_now() < warn_at) continue;
      warn_at = clock_.monotonic_now() + options_.sync_timeout;
      for (const auto& line : unsynced()) log_.warn("a cache is not synced yet", {{"cache", line}});
    }
  }
  log_.info("caches synced", {{"caches", parts_.caches.size()}, {"took", clock_.monotonic_now() - begin}});
  return {};
}

Status ManagerSequence::start_leadership() {
  if (!parts_.leader) {
    leadership_gained();
    return {};
  }
  parts_.leader->start();
  const MutexLock lock(mutex_);
  while (!leading_ && !stop_requested_ && !lost_) changed_->wait(mutex_);
  return {};
}

Status ManagerSequence::start_workers() {
  for (const auto& step : parts_.on_leading) {
    if (!prepare(step)) return {};
  }
  for (const auto& worker : parts_.workers) worker->start();
  log_.info("workers started", {{"controllers", parts_.workers.size()}});
  return {};
}

bool ManagerSequence::prepare(const std::function<Status()>& step) {
  while (!ending()) {
    const Status done = step();
    if (done) return !ending();
    log_.warn("what a leader needs is not there yet; it is tried again",
              {{"error", done.error().describe()}});
    const MonotonicTime again = clock_.monotonic_now() + kPrepareDelay;
    const MutexLock lock(mutex_);
    while (!stop_requested_ && !lost_ && changed_->wait_until(mutex_, again)) {
    }
  }
  return false;
}

void ManagerSequence::drain_workers() {
  // All at once: they share the time, and none goes on feeding another that waits for its end.
  std::atomic<bool> all_ended = true;
  std::vector<std::unique_ptr<Thread>> stoppers;
  for (const auto& worker : parts_.workers) {
    stoppers.push_back(clock_.start_thread("drain", [&all_ended, this, part = worker.get()] {
      if (part->stop(options_.drain)) return;
      all_ended = false;
      log_.warn("workers did not end in time", {{"controller", part->name()}, {"drain", options_.drain}});
    }));
  }
  for (const auto& stopper : stoppers) stopper->join();
  drained_ = all_ended;
}

void ManagerSequence::stop_caches() {
  for (const auto& cache : parts_.caches) cache->stop();
}

void ManagerSequence::stop_endpoints() {
  while (endpoints_started_ > 0) parts_.endpoints[--endpoints_started_]->stop();
}

void ManagerSequence::release_lease() {
  // While a reconcile of ours may still write, nobody else may lead: the lease has to run out.
  if (parts_.leader) parts_.leader->stop(drained_);
}

void ManagerSequence::flush_events() {
  if (parts_.events) parts_.events->stop(kFlushTimeout);
}

void ManagerSequence::wait_for_end() {
  const MutexLock lock(mutex_);
  while (!stop_requested_ && !lost_) changed_->wait(mutex_);
}

bool ManagerSequence::ending() const {
  const MutexLock lock(mutex_);
  return stop_requested_ || lost_;
}

void ManagerSequence::request_stop() {
  const MutexLock lock(mutex_);
  stop_requested_ = true;
  changed_->notify_all();
}

void ManagerSequence::leadership_gained() {
  const MutexLock lock(mutex_);
  leading_ = true;
  changed_->notify_all();
}

void ManagerSequence::leadership_lost() {
  const MutexLock lock(mutex_);
  lost_ = true;
  changed_->notify_all();
}

bool ManagerSequence::caches_synced() const {
  for (const auto& cache : parts_.caches) {
    if (!cache->synced()) return false;
  }
  return true;
}

std::vector<std::string> ManagerSequence::unsynced() const {
  std::vector<std::string> lines;
  for (const auto& cache : parts_.caches) {
    if (cache->synced()) continue;
    const std::string error = cache->last_error();
    lines.push_back(cache->name() + ": " + (error.empty() ? "not listed yet" : error));
  }
  return lines;
}

}  // namespace convoke::runtime
