// Time and everything that waits for it: the one seam between Convoke and the machine's clocks and threads.
//
// Two clocks, named by use: intervals and expiry use monotonic_now(); wall_now() is only written to the API,
// compared with times that the API holds, or shown. Nothing outside controller/base calls a std clock,
// sleeps, starts a thread or waits on a condition variable, so that a test's FakeClock
// (tests/fakes/fake_clock.h) owns the whole schedule and can say when nothing is runnable.
//
// Thread safety: Clock may be used from every thread. A Condition is used with one Mutex.
// Ownership: the Clock outlives every Condition and Thread that it made.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "controller/base/mutex.h"

namespace convoke {

using Duration = std::chrono::nanoseconds;

// Tag for points on the monotonic clock: they cannot be mixed with wall times by accident.
struct MonotonicClockTag {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<MonotonicClockTag, Duration>;
  static constexpr bool is_steady = true;
};
using MonotonicTime = MonotonicClockTag::time_point;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// A condition variable whose waits the clock knows of. Spurious wake-ups happen: wait in a loop.
class Condition {
 public:
  virtual ~Condition() = default;
  virtual void wait(Mutex& mutex) REQUIRES(mutex) = 0;
  // False once the deadline has passed (the state may still have changed: check it).
  virtual bool wait_until(Mutex& mutex, MonotonicTime deadline) REQUIRES(mutex) = 0;
  virtual void notify_one() = 0;
  virtual void notify_all() = 0;
};

// A running thread; the destructor joins. Its owner makes the body return first.
class Thread {
 public:
  virtual ~Thread() = default;
  virtual void join() = 0;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime monotonic_now() const = 0;
  virtual WallTime wall_now() const = 0;
  virtual std::unique_ptr<Condition> make_condition() = 0;
  // `name` is shown by debuggers and in /proc (cut to 15 characters). `body` must not throw.
  virtual std::unique_ptr<Thread> start_thread(const std::string& name, std::function<void()> body) = 0;
};

// The machine's clocks and threads. Monotonic time goes on while the process is stopped and while the machine
// is suspended (CLOCK_BOOTTIME), because a lease that others watch runs out all the same.
class SystemClock final : public Clock {
 public:
  MonotonicTime monotonic_now() const override;
  WallTime wall_now() const override;
  std::unique_ptr<Condition> make_condition() override;
  std::unique_ptr<Thread> start_thread(const std::string& name, std::function<void()> body) override;
};

// Something that ends a wait early: sleep_for() returns false once stop() was called. Thread-safe.
class StopSignal {
 public:
  explicit StopSignal(Clock& clock);
  void stop();
  bool stopped() const;
  // True if the whole duration passed, false if stopped.
  bool sleep_for(Duration duration);

 private:
  Clock& clock_;
  mutable Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace convoke
