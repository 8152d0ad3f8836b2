// Response bodies that clients of the fake API server read: a text that is there at once, and a watch.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "controller/kube/transport.h"
#include "tests/fakes/api_core.h"
#include "tests/fakes/api_watch.h"

namespace convoke::fakes {

// A body that is complete. Read by one thread.
class TextStream final : public kube::BodyStream {
 public:
  explicit TextStream(std::string text) : text_(std::move(text)) {}
  Result<std::string> read() override { return std::exchange(text_, {}); }
  void cancel() override {}

 private:
  std::string text_;
};

// Thread-safe, as BodyStream says; read() waits through the clock. Its fields are guarded by the core's
// mutex.
class WatchStream final : public kube::BodyStream {
 public:
  struct Owner {
    std::string client;
    const void* connection;
  };
  // `cut_after_bytes`: the connection breaks then. Called with the core's mutex held.
  WatchStream(ApiCore& core, Owner owner, WatchFeed feed, Duration timeout,
              std::optional<std::size_t> cut_after_bytes) REQUIRES(core.mutex);
  ~WatchStream() override;
  WatchStream(const WatchStream&) = delete;
  WatchStream& operator=(const WatchStream&) = delete;

  Result<std::string> read() override;
  void cancel() override;

  // For holders of the core's mutex.
  enum class End { None, Regular, Broken, Cancelled };
  void finish(End end);
  void wake() { changed_->notify_all(); }
  bool is_open() const { return end_ == End::None; }
  const Owner& owner() const { return owner_; }
  const Table& table() const { return feed_.table(); }

 private:
  void fill(const ApiWorld& world);
  std::string take_chunk(const ApiWorld& world);
  MonotonicTime next_wake_up(const ApiWorld& world) const;
  bool is_frozen(const ApiWorld& world) const { return world.frozen.contains(owner_.client); }

  ApiCore& core_;
  const Owner owner_;
  WatchFeed feed_;
  const MonotonicTime ends_at_;
  MonotonicTime next_bookmark_;
  std::optional<std::size_t> bytes_left_;
  std::unique_ptr<Condition> changed_;
  std::string buffer_;
  End end_ = End::None;
};

}  // namespace convoke::fakes
