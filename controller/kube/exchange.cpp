#include "controller/kube/exchange.h"

#include <utility>

#include "controller/base/time_format.h"

namespace convoke::kube {
namespace {

Error cancelled() {
  return {ErrorCode::Cancelled, "the request was cancelled"};
}

}  // namespace

Exchange::Exchange(Clock& clock, BodyPolicy policy, std::size_t limit_bytes)
    : policy_(policy),
      limit_bytes_(limit_bytes),
      started_(clock.monotonic_now()),
      changed_(clock.make_condition()) {}

Status Exchange::wait_for_headers(MonotonicTime deadline) {
  {
    const MutexLock lock(mutex_);
    while (phase_ == Phase::Waiting && changed_->wait_until(mutex_, deadline)) {
    }
    if (phase_ == Phase::Receiving || (phase_ == Phase::Ended && status_ != 0)) return {};
    if (phase_ == Phase::Ended)
      return error_.value_or(Error{ErrorCode::Unavailable, "an answer without a status"});
  }
  Error error{ErrorCode::Timeout, "no answer within " + human_duration(deadline - started_)};
  cancel_with(error);
  return error;
}

Status Exchange::wait_for_body(MonotonicTime deadline) {
  {
    const MutexLock lock(mutex_);
    while (phase_ != Phase::Ended && !held_back_ && changed_->wait_until(mutex_, deadline)) {
    }
    if (phase_ == Phase::Ended && error_) return *error_;
    if (phase_ == Phase::Ended || held_back_) return {};
  }
  Error error{ErrorCode::Timeout, "no complete answer within " + human_duration(deadline - started_)};
  cancel_with(error);
  return error;
}

int Exchange::status() const {
  const MutexLock lock(mutex_);
  return status_;
}

std::map<std::string, std::string> Exchange::headers() const {
  const MutexLock lock(mutex_);
  return headers_;
}

std::string Exchange::take_body() {
  const MutexLock lock(mutex_);
  return std::exchange(body_, {});
}

Result<std::string> Exchange::read() {
  std::string bytes;
  std::optional<pplx::task_completion_event<std::size_t>> held_back;
  std::size_t held_back_bytes = 0;
  {
    const MutexLock lock(mutex_);
    while (phase_ != Phase::Ended && body_.empty()) changed_->wait(mutex_);
    const bool was_cancelled = error_ && error_->code == ErrorCode::Cancelled;
    // Bytes that arrived before the connection broke are still good; after cancel() nobody wants them.
    if (error_ && (body_.empty() || was_cancelled)) return *error_;
    bytes = std::exchange(body_, {});
    held_back = std::exchange(held_back_, std::nullopt);
    held_back_bytes = held_back_bytes_;
  }
  resume(std::move(held_back), held_back_bytes);
  return bytes;
}

void Exchange::cancel() {
  cancel_with(cancelled());
}

void Exchange::cancel_with(Error error) {
  end(std::move(error));
  cancellation_.cancel();
}

pplx::task<std::size_t> Exchange::put(const std::uint8_t* bytes, std::size_t count) {
  bool refused = false;
  pplx::task<std::size_t> accepted = pplx::task_from_result(count);
  {
    const MutexLock lock(mutex_);
    if (phase_ == Phase::Ended) return accepted;
    body_.append(reinterpret_cast<const char*>(bytes), count);
    if (body_.size() > limit_bytes_) {
      refused = policy_ == BodyPolicy::RefuseBeyondLimit;
      if (!refused) {
        held_back_.emplace();
        held_back_bytes_ = count;
        accepted = pplx::create_task(*held_back_);
      }
    }
    changed_->notify_all();
  }
  if (refused) {
    cancel_with({ErrorCode::Invalid, "the answer is larger than " + std::to_string(limit_bytes_) + " bytes"});
  }
  return accepted;
}

void Exchange::on_headers(int status, std::map<std::string, std::string> headers) {
  const MutexLock lock(mutex_);
  if (phase_ != Phase::Waiting) return;
  phase_ = Phase::Receiving;
  status_ = status;
  headers_ = std::move(headers);
  changed_->notify_all();
}

void Exchange::on_end() {
  end(std::nullopt);
}
void Exchange::on_failure(Error error) {
  end(std::move(error));
}

void Exchange::end(std::optional<Error> error) {
  std::optional<pplx::task_completion_event<std::size_t>> held_back;
  std::size_t held_back_bytes = 0;
  {
    const MutexLock lock(mutex_);
    // Only a cancellation may still change the outcome: a reader that waits for nothing must not find old
    // bytes.
    const bool is_cancellation = error && error->code == ErrorCode::Cancelled;
    if (phase_ == Phase::Ended && !is_cancellation) return;
    phase_ = Phase::Ended;
    error_ = std::move(error);
    held_back = std::exchange(held_back_, std::nullopt);
    held_back_bytes = held_back_bytes_;
    changed_->notify_all();
  }
  resume(std::move(held_back), held_back_bytes);
}

void Exchange::resume(std::optional<pplx::task_completion_event<std::size_t>> held_back, std::size_t count) {
  if (held_back) held_back->set(count);
}

}  // namespace convoke::kube
