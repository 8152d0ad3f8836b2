// What one evaluation may cost. Used by one thread. Internal to this folder, but for Limits in cel.h.
#pragma once

#include <cstdint>

#include "reconcilers/expression/cel/cel.h"

namespace convoke::cel {

class Budget {
 public:
  explicit Budget(const Limits& limits) : steps_(limits.steps), bytes_(limits.bytes) {}

  // Both say whether it is still allowed. Once one of them said no, all do, so that the evaluation ends soon.
  bool spend(std::uint64_t steps = 1) { return take(steps_, steps); }
  bool produce(std::uint64_t bytes) { return take(bytes_, bytes); }
  bool is_exhausted() const { return is_exhausted_; }
  Limits left() const { return is_exhausted_ ? Limits{0, 0} : Limits{steps_, bytes_}; }

  // Steps for one look at each of `bytes` bytes of text.
  static std::uint64_t steps_for(std::uint64_t bytes) { return 1 + bytes / kBytesPerStep; }
  // What a list or map is held to take for each element.
  static constexpr std::uint64_t kBytesPerElement = 48;

 private:
  static constexpr std::uint64_t kBytesPerStep = 32;

  bool take(std::uint64_t& left, std::uint64_t wanted) {
    if (wanted > left || is_exhausted_) {
      is_exhausted_ = true;
      return false;
    }
    left -= wanted;
    return true;
  }

  std::uint64_t steps_;
  std::uint64_t bytes_;
  bool is_exhausted_ = false;
};

inline Value too_expensive() {
  return Value::failure(
      "evaluating this takes more steps, or makes more text and lists, than an expression may; it was "
      "stopped",
      kTooExpensive);
}

}  // namespace convoke::cel
