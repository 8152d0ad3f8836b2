#include "reconcilers/task/strategy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace convoke::task {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;
using Minutes = std::chrono::duration<double, std::ratio<60>>;

constexpr double kSuccessWeight = 0.4;
constexpr double kRoomWeight = 0.3;
constexpr double kSpeedWeight = 0.3;

double speed(const api::TaskTypeStatistics* statistics, Duration reference) {
  if (statistics == nullptr) {
    return 1;
  }
  const Duration mean = statistics->mean_duration;
  if (mean <= Duration::zero()) {
    return 0;  // it never succeeded
  }
  return std::min(1.0, Milliseconds(reference).count() / Milliseconds(mean).count());
}

}  // namespace

bool counts_by_type(api::Strategy strategy) {
  return strategy == api::Strategy::PerformanceBased || strategy == api::Strategy::CostOptimized;
}

double performance_score(const api::TaskTypeStatistics* statistics, double load_factor, Duration reference) {
  const double success = statistics == nullptr ? 1 : statistics->success_rate;
  return kSuccessWeight * success + kRoomWeight * (1 - load_factor) +
         kSpeedWeight * speed(statistics, reference);
}

double expected_cost(const api::Cost& cost, const api::TaskTypeStatistics* statistics) {
  const bool known = statistics != nullptr && statistics->mean_duration > Duration::zero();
  const Duration expected = known ? statistics->mean_duration : kUnknownDuration;
  return cost.per_task + cost.per_minute * Minutes(expected).count();
}

Duration speed_reference(Duration fastest) {
  Duration reference = std::chrono::milliseconds(1);
  while (reference <= fastest / 2) {
    reference *= 2;
  }
  return reference;
}

std::string format_score(api::Strategy strategy, double score) {
  const int decimals = strategy == api::Strategy::CostOptimized ? 8 : 4;
  std::array<char, 400> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), score, std::chars_format::fixed, decimals);
  std::string text(buffer.data(), written.ptr);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text == "-0" ? "0" : text;
}

}  // namespace convoke::task
