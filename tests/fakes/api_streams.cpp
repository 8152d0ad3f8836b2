#include "tests/fakes/api_streams.h"

#include <algorithm>
#include <utility>

namespace convoke::fakes {
namespace {

constexpr Duration kBookmarkInterval = std::chrono::minutes(1);
// What a real transport's idle timer makes of a peer that went silent.
constexpr Duration kIdleTimeout = std::chrono::seconds(305);

}  // namespace

WatchStream::WatchStream(ApiCore& core, Owner owner, WatchFeed feed, Duration timeout,
                         std::optional<std::size_t> cut_after_bytes)
    : core_(core),
      owner_(std::move(owner)),
      feed_(std::move(feed)),
      ends_at_(core.clock.monotonic_now() + timeout),
      next_bookmark_(core.clock.monotonic_now() + kBookmarkInterval),
      bytes_left_(cut_after_bytes),
      changed_(core.clock.make_condition()) {
  core.world.streams.push_back(this);
}

WatchStream::~WatchStream() {
  const MutexLock lock(core_.mutex);
  std::erase(core_.world.streams, this);
}

Result<std::string> WatchStream::read() {
  const MutexLock lock(core_.mutex);
  for (;;) {
    if (end_ == End::Cancelled) {
      return {ErrorCode::Cancelled, "the watch was cancelled"};
    }
    if (end_ == End::Broken) {
      return {ErrorCode::Unavailable, "the connection broke in the middle of the watch"};
    }
    if (!is_frozen(core_.world)) {
      fill(core_.world);
      if (!buffer_.empty()) {
        return take_chunk(core_.world);
      }
      if (end_ == End::Regular) {
        return std::string();
      }
    }
    if (!changed_->wait_until(core_.mutex, next_wake_up(core_.world)) && is_frozen(core_.world)) {
      finish(End::Broken);
    }
  }
}

void WatchStream::cancel() {
  const MutexLock lock(core_.mutex);
  finish(End::Cancelled);
}

void WatchStream::finish(End end) {
  end_ = end;
  wake();
}

void WatchStream::fill(const ApiWorld& world) {
  if (end_ != End::None || !buffer_.empty()) {
    return;
  }
  buffer_ = feed_.next_lines(world.storage);
  const MonotonicTime now = core_.clock.monotonic_now();
  if (now >= next_bookmark_ || now >= ends_at_) {
    buffer_ += feed_.failed() ? "" : feed_.bookmark(world.storage);
    next_bookmark_ = now + kBookmarkInterval;
  }
  if (feed_.failed() || now >= ends_at_) {
    end_ = End::Regular;
  }
}

std::string WatchStream::take_chunk(const ApiWorld& world) {
  std::size_t size = buffer_.size();
  if (world.chunk_bytes != 0) {
    size = std::min(size, world.chunk_bytes);
  }
  if (bytes_left_) {
    size = std::min(size, *bytes_left_);
    *bytes_left_ -= size;
    if (*bytes_left_ == 0) {
      end_ = End::Broken;
    }
  }
  std::string chunk = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return chunk;
}

MonotonicTime WatchStream::next_wake_up(const ApiWorld& world) const {
  if (const auto frozen = world.frozen.find(owner_.client); frozen != world.frozen.end()) {
    return frozen->second + kIdleTimeout;
  }
  return std::min(ends_at_, next_bookmark_);
}

}  // namespace convoke::fakes
