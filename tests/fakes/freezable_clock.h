// The clock of one process among several that share a FakeClock: while it is frozen (as by SIGSTOP) its
// threads do not wake, yet time goes on.
//
// Thread safety: freeze and thaw by the test's own thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/clock.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::fakes {

class FreezableClock final : public Clock {
 public:
  explicit FreezableClock(FakeClock& world) : world_(world) {}

  void freeze() { frozen_ = true; }
  void thaw() {
    frozen_ = false;
    for (Condition* condition : conditions_) condition->notify_all();
  }

  MonotonicTime monotonic_now() const override { return world_.monotonic_now(); }
  WallTime wall_now() const override { return world_.wall_now(); }
  std::unique_ptr<Condition> make_condition() override {
    auto condition = std::make_unique<FreezableCondition>(*this, world_.make_condition());
    conditions_.push_back(condition.get());
    return condition;
  }
  std::unique_ptr<Thread> start_thread(const std::string& name, std::function<void()> body) override {
    return world_.start_thread(name, std::move(body));
  }

 private:
  class FreezableCondition final : public Condition {
   public:
    FreezableCondition(FreezableClock& clock, std::unique_ptr<Condition> inner)
        : clock_(clock), inner_(std::move(inner)) {}
    ~FreezableCondition() override { std::erase(clock_.conditions_, this); }
    void wait(Mutex& mutex) override REQUIRES(mutex) {
      inner_->wait(mutex);
      stay_frozen(mutex);
    }
    bool wait_until(Mutex& mutex, MonotonicTime deadline) override REQUIRES(mutex) {
      const bool in_time = inner_->wait_until(mutex, deadline);
      stay_frozen(mutex);
      return in_time;
    }
    void notify_one() override { inner_->notify_one(); }
    void notify_all() override { inner_->notify_all(); }

   private:
    void stay_frozen(Mutex& mutex) REQUIRES(mutex) {
      while (clock_.frozen_) inner_->wait(mutex);
    }

    FreezableClock& clock_;
    std::unique_ptr<Condition> inner_;
  };

  FakeClock& world_;
  std::vector<Condition*> conditions_;
  bool frozen_ = false;
};

}  // namespace convoke::fakes
