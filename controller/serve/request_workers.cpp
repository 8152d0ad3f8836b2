#include "controller/serve/request_workers.h"

#include <utility>

namespace convoke::serve {

RequestWorkers::RequestWorkers(Clock& clock, int threads) : changed_(clock.make_condition()) {
  for (int i = 0; i < threads; ++i) {
    threads_.push_back(clock.start_thread("http-worker", [this] { work(); }));
  }
}

RequestWorkers::~RequestWorkers() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_->notify_all();
  }
  threads_.clear();
}

void RequestWorkers::add(std::function<void()> job) {
  const MutexLock lock(mutex_);
  jobs_.push_back(std::move(job));
  changed_->notify_one();
}

void RequestWorkers::work() {
  for (;;) {
    std::function<void()> job;
    {
      const MutexLock lock(mutex_);
      while (jobs_.empty() && !ending_) changed_->wait(mutex_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace convoke::serve
