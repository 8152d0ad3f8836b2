#include "controller/kube/server_clock.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "controller/base/time_format.h"

namespace convoke::kube {

namespace {

using std::chrono::seconds;

constexpr Duration kTolerance = seconds(5);
// A Date header is cut to whole seconds.
constexpr Duration kDateGrain = seconds(1);
// A skew that changed by less is the same one: the header's grain makes it flicker.
constexpr Duration kSameSkew = seconds(2);
// What took longer says too little about the time.
constexpr Duration kSlowAnswer = seconds(10);

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::optional<WallTime> parse_http_date(const std::string& text) {
  constexpr std::string_view kForm = "Sat, 21 Nov 2026 07:15:00 GMT";
  if (text.size() != kForm.size() || text.substr(25) != " GMT") return std::nullopt;
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  if (month == kMonths.end()) return std::nullopt;
  const std::string number = std::to_string(month - kMonths.begin() + 1);
  const auto time = parse_time(text.substr(12, 4) + '-' + (number.size() == 1 ? "0" : "") + number + '-' +
                               text.substr(5, 2) + 'T' + text.substr(17, 8) + 'Z');
  if (!time) return std::nullopt;
  return *time;
}

WallTime ServerClock::wall_now() const {
  const MutexLock lock(mutex_);
  if (!anchor_) return machine_.wall_now();
  return anchor_->wall + (machine_.monotonic_now() - anchor_->monotonic);
}

std::optional<Duration> ServerClock::answered(const std::string& date, MonotonicTime asked_at) {
  const auto server = parse_http_date(date);
  const MonotonicTime now = machine_.monotonic_now();
  const Duration took = now - asked_at;
  if (!server || took > kSlowAnswer) return std::nullopt;

  const WallTime here = machine_.wall_now();
  const MutexLock lock(mutex_);
  const bool agrees = here >= *server - kTolerance && here <= *server + kDateGrain + took + kTolerance;
  if (agrees) {
    anchor_ = {now, here};
    const bool ceased = skew_ != Duration::zero();
    skew_ = Duration::zero();
    return ceased ? std::optional(skew_) : std::nullopt;
  }
  const Duration skew = here - (*server + kDateGrain / 2);
  const bool same = std::chrono::abs(skew - skew_) < kSameSkew;
  if (!same) skew_ = skew;
  anchor_ = {now, here - skew_};
  return same ? std::nullopt : std::optional(skew_);
}

Duration ServerClock::skew() const {
  const MutexLock lock(mutex_);
  return skew_;
}

Result<HttpResponse> DatedTransport::send(const HttpRequest& request) {
  const MonotonicTime asked_at = clock_.monotonic_now();
  auto answer = transport_.send(request);
  if (answer) answered(answer->headers, asked_at);
  return answer;
}

Result<StreamResponse> DatedTransport::open_stream(const HttpRequest& request) {
  const MonotonicTime asked_at = clock_.monotonic_now();
  auto answer = transport_.open_stream(request);
  if (answer) answered(answer->headers, asked_at);
  return answer;
}

void DatedTransport::answered(const std::map<std::string, std::string>& headers, MonotonicTime asked_at) {
  const auto date = headers.find("date");
  if (date == headers.end()) return;
  const auto news = clock_.answered(date->second, asked_at);
  if (!news) return;
  if (*news == Duration::zero()) {
    log_.info("this machine's clock agrees with the API server's again");
  } else {
    log_.warn("this machine's clock does not agree with the API server's, whose time is used instead",
              {{"ahead", *news}});
  }
}

}  // namespace convoke::kube
