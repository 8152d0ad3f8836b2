// One HTTP request and its response, met by two sides: cpprestsdk's pool delivers the response, one of our
// threads waits for it.
//
// Thread safety: every method may be called from every thread; the wait_ and read methods block, and are for
// our own threads only; the on_ methods and put() are for the pool's and never block. Ownership: shared by
// both sides, because either may leave first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <pplx/pplxtasks.h>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "controller/kube/stream_buffer.h"
#include "controller/kube/transport.h"

namespace convoke::kube {

// What to do with a body that is larger than the limit: give up, or make the sender wait until it was read.
enum class BodyPolicy { RefuseBeyondLimit, HoldBackBeyondLimit };

class Exchange final : public ByteSink {
 public:
  Exchange(Clock& clock, BodyPolicy policy, std::size_t limit_bytes);

  // Blocks until status and headers (the body) are there. Errors: Timeout, after which the exchange is
  // cancelled; Cancelled; Unavailable. wait_for_body() is also content with a body that reached its limit.
  Status wait_for_headers(MonotonicTime deadline);
  Status wait_for_body(MonotonicTime deadline);
  // After wait_for_headers().
  int status() const;
  std::map<std::string, std::string> headers() const;
  // What arrived of the body and was not taken yet.
  std::string take_body();
  // As BodyStream::read().
  Result<std::string> read();
  // Ends the exchange: the connection is closed, and every wait returns Cancelled. May be called twice.
  void cancel();

  pplx::cancellation_token token() const { return cancellation_.get_token(); }
  pplx::task<std::size_t> put(const std::uint8_t* bytes, std::size_t count) override;
  void on_headers(int status, std::map<std::string, std::string> headers);
  void on_end();
  void on_failure(Error error);

 private:
  enum class Phase { Waiting, Receiving, Ended };

  void cancel_with(Error error);
  void end(std::optional<Error> error);
  // Lets the sender go on, if it was held back.
  static void resume(std::optional<pplx::task_completion_event<std::size_t>> held_back, std::size_t count);

  const BodyPolicy policy_;
  const std::size_t limit_bytes_;
  const MonotonicTime started_;
  pplx::cancellation_token_source cancellation_;
  mutable Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  Phase phase_ GUARDED_BY(mutex_) = Phase::Waiting;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  int status_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string> headers_ GUARDED_BY(mutex_);
  std::string body_ GUARDED_BY(mutex_);
  std::size_t held_back_bytes_ GUARDED_BY(mutex_) = 0;
  std::optional<pplx::task_completion_event<std::size_t>> held_back_ GUARDED_BY(mutex_);
};

}  // namespace convoke::kube
