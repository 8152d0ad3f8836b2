#include "reconcilers/task/rate_gate.h"

#include <algorithm>

#include "reconcilers/task/recent_assignments.h"

namespace convoke::task {
namespace {

double per_second(const api::RateLimit& limit) {
  return limit.tasks_per_minute / 60;
}

}  // namespace

int RateGate::burst_of(const api::RateLimit& limit) {
  return limit.burst > 0 ? limit.burst : std::max(1, static_cast<int>(limit.tasks_per_minute / 6));
}

void RateGate::configure(const std::optional<api::RateLimit>& limit, MonotonicTime now) {
  if (limit == limit_) {
    return;
  }
  limit_ = limit;
  if (!limit) {
    bucket_.reset();
  } else if (bucket_) {
    bucket_->set_rate(per_second(*limit), burst_of(*limit), now);
  } else {
    bucket_.emplace(per_second(*limit), burst_of(*limit), now);
  }
}

void RateGate::replay(std::vector<MonotonicTime> taken, MonotonicTime now) {
  if (!limit_) {
    return;
  }
  bucket_.emplace(per_second(*limit_), burst_of(*limit_), now - kRecent);
  std::sort(taken.begin(), taken.end());
  for (const MonotonicTime time : taken) {
    bucket_->take(std::clamp(time, now - kRecent, now));
  }
}

void RateGate::take(MonotonicTime now) {
  if (bucket_) {
    bucket_->take(now);
  }
}

void RateGate::put_back() {
  if (bucket_) {
    bucket_->put_back();
  }
}

MonotonicTime RateGate::opens_at(MonotonicTime now) const {
  return bucket_ ? bucket_->available_at(now) : now;
}

}  // namespace convoke::task
