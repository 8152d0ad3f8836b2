#include "tests/fakes/fake_clock.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include <pthread.h>

#include "controller/base/time_format.h"

namespace convoke::fakes {

// One thread that takes turns. Guarded by the clock's mutex.
struct FakeClock::Actor {
  enum class State { Ready, Running, Blocked, Ended };

  explicit Actor(FakeClock& owner, std::string thread_name) : clock(owner), name(std::move(thread_name)) {}

  FakeClock& clock;
  const std::string name;
  State state = State::Ready;
  std::condition_variable got_baton;
  FakeCondition* waits_on = nullptr;
  Actor* joins = nullptr;
  std::optional<MonotonicTime> deadline;
  std::uint64_t timer_sequence = 0;
  bool timed_out = false;
};

namespace {

// The actor of the calling thread, if a fake clock started it. void*, because Actor is private.
thread_local void* this_threads_actor = nullptr;

}  // namespace

class FakeClock::FakeCondition final : public Condition {
 public:
  explicit FakeCondition(FakeClock& clock) : clock_(clock) {}

  void wait(Mutex& mutex) override { wait_for_notification(mutex, std::nullopt); }
  bool wait_until(Mutex& mutex, MonotonicTime deadline) override {
    return wait_for_notification(mutex, deadline);
  }
  void notify_one() override { clock_.notify(*this, false); }
  void notify_all() override { clock_.notify(*this, true); }

  std::deque<Actor*>& waiters() { return waiters_; }

 private:
  bool wait_for_notification(Mutex& mutex, std::optional<MonotonicTime> deadline) NO_THREAD_SAFETY_ANALYSIS {
    Actor& self = clock_.current_actor();
    Lock lock(clock_.mutex_);
    mutex.unlock();
    self.waits_on = this;
    waiters_.push_back(&self);
    clock_.block(lock, self, deadline);
    const bool timed_out = self.timed_out;
    lock.unlock();
    mutex.lock();
    return !timed_out;
  }

  FakeClock& clock_;
  std::deque<Actor*> waiters_;
};

class FakeClock::FakeThread final : public Thread {
 public:
  FakeThread(FakeClock& clock, std::unique_ptr<Actor> actor, std::function<void()> body)
      : clock_(clock),
        actor_(std::move(actor)),
        thread_([this, body = std::move(body)] { clock_.run_thread(*actor_, body); }) {}
  FakeThread(const FakeThread&) = delete;
  FakeThread& operator=(const FakeThread&) = delete;
  ~FakeThread() override { FakeThread::join(); }

  void join() override {
    if (thread_.joinable()) {
      clock_.join(*actor_);
      thread_.join();
    }
  }

 private:
  FakeClock& clock_;
  std::unique_ptr<Actor> actor_;
  std::thread thread_;
};

FakeClock::FakeClock(FakeClockOptions options)
    : max_turns_(options.max_turns),
      random_(options.seed ? make_seeded_random(*options.seed) : nullptr),
      now_(options.start),
      wall_offset_(options.wall.time_since_epoch() - options.start.time_since_epoch()),
      turns_left_(options.max_turns),
      driver_(std::make_unique<Actor>(*this, "the test's own thread")),
      baton_(driver_.get()) {
  driver_->state = Actor::State::Running;
}

FakeClock::~FakeClock() {
  if (!alive_.empty()) {
    abort_with("it is destroyed before its threads have ended");
  }
}

MonotonicTime FakeClock::monotonic_now() const {
  const Lock lock(mutex_);
  return now_;
}

WallTime FakeClock::wall_now() const {
  const Lock lock(mutex_);
  return WallTime(now_.time_since_epoch() + wall_offset_);
}

void FakeClock::set_wall(WallTime now) {
  const Lock lock(mutex_);
  wall_offset_ = now.time_since_epoch() - now_.time_since_epoch();
}

void FakeClock::skew(Duration difference) {
  const Lock lock(mutex_);
  wall_offset_ += difference;
}

std::unique_ptr<Condition> FakeClock::make_condition() {
  return std::make_unique<FakeCondition>(*this);
}

std::unique_ptr<Thread> FakeClock::start_thread(const std::string& name, std::function<void()> body) {
  auto actor = std::make_unique<Actor>(*this, name);
  {
    const Lock lock(mutex_);
    alive_.push_back(actor.get());
    make_ready(*actor);
  }
  return std::make_unique<FakeThread>(*this, std::move(actor), std::move(body));
}

void FakeClock::run_thread(Actor& self, const std::function<void()>& body) {
  this_threads_actor = &self;
  pthread_setname_np(pthread_self(), self.name.substr(0, 15).c_str());
  {
    Lock lock(mutex_);
    self.got_baton.wait(lock, [&] { return baton_ == &self; });
  }
  body();
  Lock lock(mutex_);
  self.state = Actor::State::Ended;
  std::erase(alive_, &self);
  for (Actor* actor : alive_) {
    if (actor->joins == &self) {
      make_ready(*actor);
    }
  }
  if (driver_->joins == &self) {
    make_ready(*driver_);
  }
  pass_baton(lock, self);
}

void FakeClock::settle() {
  require_driver("settle()");
  Lock lock(mutex_);
  turns_left_ = max_turns_;
  run_ready(lock);
}

void FakeClock::advance(Duration duration) {
  advance_until([] { return false; }, duration);
}

bool FakeClock::advance_until(const std::function<bool()>& predicate, Duration limit) {
  require_driver("advance()");
  settle();
  const MonotonicTime now = monotonic_now();
  const MonotonicTime target = limit < MonotonicTime::max() - now ? now + limit : MonotonicTime::max();
  while (!predicate()) {
    Lock lock(mutex_);
    turns_left_ = max_turns_;
    if (!fire_next_timer(target)) {
      now_ = target;
      return false;
    }
    run_ready(lock);
  }
  return true;
}

void FakeClock::yield() {
  Actor& self = current_actor();
  Lock lock(mutex_);
  if (&self == driver_.get()) {
    turns_left_ = max_turns_;
  }
  make_ready(self);
  pass_baton(lock, self);
}

std::optional<MonotonicTime> FakeClock::next_timer() const {
  const Lock lock(mutex_);
  return timers_.empty() ? std::nullopt : std::optional(std::get<0>(*timers_.begin()));
}

std::vector<std::string> FakeClock::describe_threads() const {
  const Lock lock(mutex_);
  return describe_locked();
}

FakeClock::Actor& FakeClock::current_actor() {
  auto* actor = static_cast<Actor*>(this_threads_actor);
  return actor != nullptr && &actor->clock == this ? *actor : *driver_;
}

void FakeClock::require_driver(const char* what) {
  if (&current_actor() != driver_.get()) {
    abort_with(std::string(what) + " is called by thread \"" + current_actor().name +
               "\", but belongs to the test's own thread");
  }
}

void FakeClock::make_ready(Actor& actor) {
  if (actor.waits_on != nullptr) {
    std::erase(actor.waits_on->waiters(), &actor);
    actor.waits_on = nullptr;
  }
  if (actor.deadline) {
    timers_.erase({*actor.deadline, actor.timer_sequence, &actor});
    actor.deadline.reset();
  }
  actor.joins = nullptr;
  actor.state = Actor::State::Ready;
  ready_.push_back(&actor);
}

FakeClock::Actor* FakeClock::pick_ready() {
  if (ready_.empty()) {
    return nullptr;
  }
  if (--turns_left_ < 0) {
    abort_with("the threads run in circles");
  }
  const auto index = random_ != nullptr ? random_->next() % ready_.size() : 0;
  const auto picked = ready_.begin() + static_cast<std::ptrdiff_t>(index);
  Actor* actor = *picked;
  ready_.erase(picked);
  actor->state = Actor::State::Running;
  return actor;
}

// When nobody can run, the baton goes to the driver, who decides what happens to time.
void FakeClock::pass_baton(Lock& lock, Actor& self) {
  Actor* next = pick_ready();
  baton_ = next != nullptr ? next : driver_.get();
  if (baton_ == &self) {
    return;
  }
  baton_->got_baton.notify_one();
  if (self.state != Actor::State::Ended) {
    self.got_baton.wait(lock, [&] { return baton_ == &self; });
  }
}

void FakeClock::run_ready(Lock& lock) {
  while (!ready_.empty()) {
    pass_baton(lock, *driver_);
  }
}

void FakeClock::drive_until_picked(Lock& lock) {
  turns_left_ = max_turns_;
  while (driver_->state != Actor::State::Running) {
    if (ready_.empty() && !fire_next_timer(MonotonicTime::max())) {
      abort_with("deadlock: nothing can ever wake the test's own thread");
    }
    pass_baton(lock, *driver_);
  }
}

void FakeClock::block(Lock& lock, Actor& self, std::optional<MonotonicTime> deadline) {
  if (self.state != Actor::State::Running || baton_ != &self) {
    abort_with("a thread that the clock did not start waits while another one has the baton");
  }
  self.state = Actor::State::Blocked;
  self.timed_out = false;
  if (deadline && *deadline <= now_) {
    make_ready(self);
    self.timed_out = true;
  } else if (deadline && *deadline != MonotonicTime::max()) {
    self.deadline = deadline;
    self.timer_sequence = next_sequence_++;
    timers_.insert({*deadline, self.timer_sequence, &self});
  }
  if (&self == driver_.get()) {
    drive_until_picked(lock);
  } else {
    pass_baton(lock, self);
  }
}

bool FakeClock::fire_next_timer(MonotonicTime limit) {
  if (timers_.empty() || std::get<0>(*timers_.begin()) > limit) {
    return false;
  }
  now_ = std::max(now_, std::get<0>(*timers_.begin()));
  while (!timers_.empty() && std::get<0>(*timers_.begin()) <= now_) {
    Actor& actor = *std::get<2>(*timers_.begin());
    actor.timed_out = true;
    make_ready(actor);
  }
  return true;
}

void FakeClock::notify(FakeCondition& condition, bool all) {
  const Lock lock(mutex_);
  auto& waiters = condition.waiters();
  while (!waiters.empty()) {
    const auto index = random_ != nullptr && !all ? random_->next() % waiters.size() : 0;
    make_ready(*waiters[index]);
    if (!all) {
      return;
    }
  }
}

void FakeClock::join(Actor& target) {
  Actor& self = current_actor();
  Lock lock(mutex_);
  if (target.state != Actor::State::Ended) {
    self.joins = &target;
    block(lock, self, std::nullopt);
  }
}

std::vector<std::string> FakeClock::describe_locked() const {
  std::vector<std::string> lines;
  for (const Actor* actor : alive_) {
    std::string line = "\"" + actor->name + "\" ";
    if (actor->state == Actor::State::Running) {
      line += "is running";
    } else if (actor->state == Actor::State::Ready) {
      line += "could run";
    } else if (actor->joins != nullptr) {
      line += "waits for the end of \"" + actor->joins->name + "\"";
    } else if (actor->deadline) {
      line += "waits for a notification or " + human_duration(*actor->deadline - now_);
    } else {
      line += "waits for a notification";
    }
    lines.push_back(line);
  }
  return lines;
}

void FakeClock::abort_with(const std::string& problem) const {
  std::fprintf(stderr, "FakeClock: %s. Its threads:\n", problem.c_str());
  for (const std::string& line : describe_locked()) {
    std::fprintf(stderr, "  %s\n", line.c_str());
  }
  std::fflush(stderr);
  std::abort();
}

}  // namespace convoke::fakes
