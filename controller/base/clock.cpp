#include "controller/base/clock.h"

#include <algorithm>
#include <condition_variable>
#include <thread>
#include <utility>

#include <pthread.h>
#include <time.h>

namespace convoke {
namespace {

// A wait runs on the steady clock, which stands still while the machine is suspended. Waits are cut to this
// length, so that a deadline that passed during a suspension is noticed soon after it.
constexpr Duration kLongestWait = std::chrono::seconds(10);

constexpr std::size_t kLongestThreadName = 15;

Duration read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec);
}

class SystemCondition final : public Condition {
 public:
  explicit SystemCondition(const SystemClock& clock) : clock_(clock) {}

  void wait(Mutex& mutex) override { changed_.wait(mutex); }

  // A wait that was cut short returns as a spurious wake-up: waiting again here could miss a notification
  // that came between the two.
  bool wait_until(Mutex& mutex, MonotonicTime deadline) override {
    const Duration remaining = deadline - clock_.monotonic_now();
    if (remaining <= Duration::zero()) {
      return false;
    }
    changed_.wait_for(mutex, std::min(remaining, kLongestWait));
    return clock_.monotonic_now() < deadline;
  }

  void notify_one() override { changed_.notify_one(); }
  void notify_all() override { changed_.notify_all(); }

 private:
  const SystemClock& clock_;
  std::condition_variable_any changed_;
};

class SystemThread final : public Thread {
 public:
  SystemThread(const std::string& name, std::function<void()> body)
      : thread_([short_name = name.substr(0, kLongestThreadName), body = std::move(body)] {
          pthread_setname_np(pthread_self(), short_name.c_str());
          body();
        }) {}
  SystemThread(const SystemThread&) = delete;
  SystemThread& operator=(const SystemThread&) = delete;
  ~SystemThread() override { SystemThread::join(); }

  void join() override {
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  std::thread thread_;
};

MonotonicTime add_saturated(MonotonicTime time, Duration duration) {
  return duration > MonotonicTime::max() - time ? MonotonicTime::max() : time + duration;
}

}  // namespace

MonotonicTime SystemClock::monotonic_now() const {
  return MonotonicTime(read_clock(CLOCK_BOOTTIME));
}

WallTime SystemClock::wall_now() const {
  return WallTime(read_clock(CLOCK_REALTIME));
}

std::unique_ptr<Condition> SystemClock::make_condition() {
  return std::make_unique<SystemCondition>(*this);
}

std::unique_ptr<Thread> SystemClock::start_thread(const std::string& name, std::function<void()> body) {
  return std::make_unique<SystemThread>(name, std::move(body));
}

StopSignal::StopSignal(Clock& clock) : clock_(clock), changed_(clock.make_condition()) {}

void StopSignal::stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  changed_->notify_all();
}

bool StopSignal::stopped() const {
  const MutexLock lock(mutex_);
  return stopped_;
}

bool StopSignal::sleep_for(Duration duration) {
  const MonotonicTime deadline = add_saturated(clock_.monotonic_now(), duration);
  const MutexLock lock(mutex_);
  while (!stopped_ && clock_.monotonic_now() < deadline) {
    changed_->wait_until(mutex_, deadline);
  }
  return !stopped_;
}

}  // namespace convoke
