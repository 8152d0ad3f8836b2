#include "controller/runtime/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace convoke::runtime {

namespace {

// What the rounding of a wait to whole nanoseconds may leave missing.
constexpr double kRounding = 1e-6;

}  // namespace

TokenBucket::TokenBucket(double per_second, int burst, MonotonicTime now)
    : per_second_(per_second), burst_(burst), tokens_(burst), as_of_(now) {}

double TokenBucket::tokens_at(MonotonicTime now) const {
  const std::chrono::duration<double> passed = now - as_of_;
  return std::min(burst_, tokens_ + passed.count() * per_second_);
}

bool TokenBucket::take(MonotonicTime now) {
  const double tokens = tokens_at(now);
  if (tokens < 1.0 - kRounding) return false;
  tokens_ = tokens - 1.0;
  as_of_ = now;
  return true;
}

void TokenBucket::put_back() {
  tokens_ = std::min(burst_, tokens_ + 1.0);
}

void TokenBucket::set_rate(double per_second, int burst, MonotonicTime now) {
  tokens_ = std::clamp(tokens_at(now) + std::max(burst - burst_, 0.0), 0.0, static_cast<double>(burst));
  as_of_ = now;
  per_second_ = per_second;
  burst_ = burst;
}

MonotonicTime TokenBucket::available_at(MonotonicTime now) const {
  const double missing = 1.0 - tokens_at(now);
  if (missing <= kRounding) return now;
  const std::chrono::duration<double> wait(missing / per_second_);
  return now + std::chrono::ceil<Duration>(wait);
}

}  // namespace convoke::runtime
