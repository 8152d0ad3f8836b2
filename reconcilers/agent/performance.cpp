#include "reconcilers/agent/performance.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "controller/base/time_format.h"

namespace convoke::agent {
namespace {

constexpr double kPercentile = 0.95;
constexpr double kHeadroom = 1.1;  // without it, the estimate would stay too low
// What stands between the end and the id in status.counted.attempts.
constexpr char kSeparator = '/';

// As many digits as the API keeps, so that a status reads as it was written.
double rounded(double rate) {
  return std::round(rate * 1e4) / 1e4;
}

Duration rounded(Duration duration) {
  return std::chrono::duration_cast<Duration>(std::chrono::round<std::chrono::microseconds>(duration));
}

Duration scaled(Duration duration, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor));
}

double weight_of(std::int64_t n) {
  return std::max(kWeight, 1.0 / static_cast<double>(std::max<std::int64_t>(n, 1)));
}

// `n` values with this one.
double moved(double mean, double value, std::int64_t n) {
  return rounded(mean + weight_of(n) * (value - mean));
}

Duration moved(Duration mean, Duration value, std::int64_t n) {
  return mean == Duration::zero() ? rounded(value) : rounded(mean + scaled(value - mean, weight_of(n)));
}

Duration moved_percentile(Duration estimate, Duration value) {
  if (estimate == Duration::zero()) {
    return rounded(value);
  }
  if (value > estimate) {
    return rounded(std::min(scaled(value, kHeadroom), scaled(estimate, 1 + kStep * kPercentile)));
  }
  return rounded(std::max(value, scaled(estimate, 1 - kStep * (1 - kPercentile))));
}

// Moved to the end, where the latest stands.
api::TaskTypeStatistics& statistics_of(api::AgentStatus& status, const std::string& type) {
  auto& all = status.statistics;
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& row) { return row.type == type; });
  if (found != all.end()) {
    std::rotate(found, found + 1, all.end());
  } else {
    if (all.size() >= kMaxTaskTypes) {
      all.erase(all.begin());
    }
    all.emplace_back().type = type;
  }
  return all.back();
}

std::string name_of(const EndedAttempt& attempt) {
  return format_micro_time(attempt.finished_at) + kSeparator + attempt.id;
}

void name(api::AgentStatus& status, const EndedAttempt& attempt) {
  status.counted_attempts.push_back(name_of(attempt));
  while (status.counted_attempts.size() > kMaxCounted) {
    const std::string& oldest = status.counted_attempts.front();
    const auto ended = parse_time(oldest.substr(0, oldest.find(kSeparator)));
    const auto until = parse_time(status.counted_until);
    if (ended && (!until || *until < *ended)) {
      status.counted_until = format_micro_time(*ended);
    }
    status.counted_attempts.erase(status.counted_attempts.begin());
  }
}

}  // namespace

void count(api::AgentStatus& status, const EndedAttempt& attempt) {
  const double success = attempt.succeeded ? 1 : 0;
  ++(attempt.succeeded ? status.completed_tasks : status.failed_tasks);
  status.success_rate = moved(status.success_rate, success, status.completed_tasks + status.failed_tasks);
  api::TaskTypeStatistics& of_type = statistics_of(status, attempt.type);
  ++of_type.tasks;
  of_type.success_rate = moved(of_type.success_rate, success, of_type.tasks);
  if (attempt.succeeded) {
    status.average_duration = moved(status.average_duration, attempt.took, status.completed_tasks);
    of_type.mean_duration = moved(of_type.mean_duration, attempt.took, of_type.tasks);
    of_type.p95_duration = moved_percentile(of_type.p95_duration, attempt.took);
  }
  name(status, attempt);
}

bool is_named(const api::AgentStatus& status, const EndedAttempt& attempt) {
  const auto& names = status.counted_attempts;
  return std::find(names.begin(), names.end(), name_of(attempt)) != names.end();
}

bool is_counted(const api::Agent& agent, const EndedAttempt& attempt) {
  const auto until = parse_time(agent.status.counted_until);
  const auto created = parse_time(agent.meta.creation_timestamp);
  return (until && attempt.finished_at <= *until) || (created && attempt.finished_at < *created) ||
         is_named(agent.status, attempt);
}

}  // namespace convoke::agent
