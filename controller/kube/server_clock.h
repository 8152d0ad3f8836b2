// A clock whose wall time is the API server's, as far as its answers show it: what the API holds (creation
// times, assignment times) was written by that clock or by somebody who follows it, and is compared with no
// other. A machine whose own clock is wrong, or is set while we run, ends no Task before its time.
//
//   ServerClock clock(system_clock);
//   DatedTransport transport(real_transport, clock, log);
//
// While the machine's clock agrees with the server's Date headers (which are whole seconds) within five
// seconds, it is believed, as it is finer. Either way time goes on from the last answer by the monotonic
// clock, so that a clock that jumps between two answers does no harm. Before the first answer it is the
// machine's. Monotonic time, conditions and threads are those of the clock behind it.
//
// Thread safety: all methods from every thread. Ownership: what the constructors take outlives them.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/kube/transport.h"

namespace convoke::kube {

class ServerClock final : public Clock {
 public:
  explicit ServerClock(Clock& machine) : machine_(machine) {}

  MonotonicTime monotonic_now() const override { return machine_.monotonic_now(); }
  WallTime wall_now() const override;
  std::unique_ptr<Condition> make_condition() override { return machine_.make_condition(); }
  std::unique_ptr<Thread> start_thread(const std::string& name, std::function<void()> body) override {
    return machine_.start_thread(name, std::move(body));
  }

  // An answer to what was asked at `asked_at` bore this Date header. Returns how far the machine's clock is
  // ahead of the server's if that is news: it began or ceased (zero) to be wrong, or is wrong otherwise.
  std::optional<Duration> answered(const std::string& date, MonotonicTime asked_at);
  // How far the machine's clock was ahead of the server's; zero while they agree.
  Duration skew() const;

 private:
  struct Anchor {
    MonotonicTime monotonic;
    WallTime wall;
  };

  Clock& machine_;
  mutable Mutex mutex_;
  std::optional<Anchor> anchor_ GUARDED_BY(mutex_);
  Duration skew_ GUARDED_BY(mutex_) = Duration::zero();
};

// Tells a ServerClock of every answer.
class DatedTransport final : public Transport {
 public:
  DatedTransport(Transport& transport, ServerClock& clock, Logger log)
      : transport_(transport), clock_(clock), log_(std::move(log)) {}

  Result<HttpResponse> send(const HttpRequest& request) override;
  Result<StreamResponse> open_stream(const HttpRequest& request) override;
  void shutdown() override { transport_.shutdown(); }

 private:
  void answered(const std::map<std::string, std::string>& headers, MonotonicTime asked_at);

  Transport& transport_;
  ServerClock& clock_;
  const Logger log_;
};

// "Sat, 21 Nov 2026 07:15:00 GMT", the form that servers send; none if it is another.
std::optional<WallTime> parse_http_date(const std::string& text);

}  // namespace convoke::kube
