// A clock for tests that owns the whole schedule: time moves only when the test says so, and threads take
// turns.
//
//   FakeClock clock;
//   auto worker = clock.start_thread("worker", ...);   // a real thread, but it does not run yet
//   clock.settle();                                     // runs everybody until nobody can go on
//   clock.advance(5s);                                  // from timer to timer, settling at each
//
// Of all threads that use the clock, the test's own included, exactly one runs at any time: it holds the
// baton. It passes the baton on where it waits on a Condition, joins a thread, yields or ends, and nowhere
// else. The order of turns is first come, first served, or random under a seed; either way the same seed
// gives the same run.
//
// The test's own thread drives: settle(), advance() and advance_until() belong to it. Where it waits on a
// Condition itself it drives too: the others run until it is notified, and when nobody can run, time moves to
// the next timer. If nothing can ever wake it, the process is aborted with a list of who waits for what. It
// is also aborted when the threads take turns without end (a hot loop).
//
// Thread safety: as Clock. Notifying is allowed from threads that the clock does not know.
// Ownership: the clock outlives its conditions and threads; all threads have ended when it is destroyed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/random.h"

namespace convoke::fakes {

struct FakeClockOptions {
  std::optional<std::uint64_t> seed = {};  // none: first come, first served
  MonotonicTime start = MonotonicTime(std::chrono::hours(1));
  WallTime wall = WallTime(std::chrono::seconds(1'767'225'600));  // 2026-01-01T00:00:00Z
  // Turns within one call of settle() and its siblings after which the threads count as running in circles.
  std::int64_t max_turns = 5'000'000;
};

class FakeClock final : public Clock {
 public:
  explicit FakeClock(FakeClockOptions options = {});
  ~FakeClock() override;
  FakeClock(const FakeClock&) = delete;
  FakeClock& operator=(const FakeClock&) = delete;

  MonotonicTime monotonic_now() const override;
  WallTime wall_now() const override;
  std::unique_ptr<Condition> make_condition() override;
  std::unique_ptr<Thread> start_thread(const std::string& name, std::function<void()> body) override;

  // Returns when no thread can run and no timer is due.
  void settle();
  void advance(Duration duration);
  // Advances until the predicate (asked whenever all is settled) is true, `limit` at most; returns what it
  // said last.
  bool advance_until(const std::function<bool()>& predicate, Duration limit);
  // Gives everybody else who can run a turn before going on. From any thread.
  void yield();

  // The wall clock follows monotonic time at an offset that these two change.
  void set_wall(WallTime now);
  void skew(Duration difference);

  std::optional<MonotonicTime> next_timer() const;
  // One line for each thread that has not ended: its name and what it waits for.
  std::vector<std::string> describe_threads() const;

 private:
  class FakeCondition;
  class FakeThread;
  struct Actor;
  using Lock = std::unique_lock<std::mutex>;

  Actor& current_actor();
  void require_driver(const char* what);
  void run_thread(Actor& self, const std::function<void()>& body);

  // All below hold mutex_, which is released only while another thread has the baton.
  void make_ready(Actor& actor);
  Actor* pick_ready();
  void pass_baton(Lock& lock, Actor& self);
  void drive_until_picked(Lock& lock);
  void block(Lock& lock, Actor& self, std::optional<MonotonicTime> deadline);
  void run_ready(Lock& lock);
  bool fire_next_timer(MonotonicTime limit);
  void notify(FakeCondition& condition, bool all);
  void join(Actor& target);
  std::vector<std::string> describe_locked() const;
  [[noreturn]] void abort_with(const std::string& problem) const;

  mutable std::mutex mutex_;
  const std::int64_t max_turns_;
  std::unique_ptr<Random> random_;  // null: first come, first served
  MonotonicTime now_;
  Duration wall_offset_;
  std::int64_t turns_left_;
  std::uint64_t next_sequence_ = 0;
  std::unique_ptr<Actor> driver_;  // the test's own thread
  Actor* baton_;                   // who runs now
  std::deque<Actor*> ready_;
  std::set<std::tuple<MonotonicTime, std::uint64_t, Actor*>> timers_;
  std::vector<Actor*> alive_;
};

}  // namespace convoke::fakes
