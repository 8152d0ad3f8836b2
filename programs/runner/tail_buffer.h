// Keeps the end of a stream of bytes. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace convoke::runner {

class TailBuffer {
 public:
  explicit TailBuffer(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void append(std::string_view bytes) {
    text_.append(bytes);
    // Cut at twice the size, so that most appends move nothing.
    if (text_.size() > 2 * max_bytes_) text_.erase(0, text_.size() - max_bytes_);
  }

  std::string text() const {
    return text_.size() <= max_bytes_ ? text_ : text_.substr(text_.size() - max_bytes_);
  }

 private:
  const std::size_t max_bytes_;
  std::string text_;
};

}  // namespace convoke::runner
