#include "controller/base/random.h"

#include <array>
#include <cstdlib>

#include <unistd.h>

#include "controller/base/mutex.h"

namespace convoke {
namespace {

constexpr double kTwoToMinus53 = 1.0 / 9007199254740992.0;

class SystemRandom final : public Random {
 public:
  std::uint64_t next() override {
    const MutexLock lock(mutex_);
    if (used_ == words_.size()) {
      refill();
    }
    return words_[used_++];
  }

 private:
  void refill() REQUIRES(mutex_) {
    if (getentropy(words_.data(), sizeof(words_)) != 0) {
      std::abort();  // no kernel that this runs on fails here, and ids that repeat would be worse
    }
    used_ = 0;
  }

  Mutex mutex_;
  std::array<std::uint64_t, 32> words_
      GUARDED_BY(mutex_) = {};  // 256 bytes, the most that getentropy gives at once
  std::size_t used_ GUARDED_BY(mutex_) = 32;
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() override {
    const MutexLock lock(mutex_);
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

 private:
  Mutex mutex_;
  std::uint64_t state_ GUARDED_BY(mutex_);
};

}  // namespace

double Random::uniform() {
  return static_cast<double>(next() >> 11) * kTwoToMinus53;
}

std::string Random::hex(int bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  std::uint64_t word = 0;
  for (int i = 0; i < bytes; ++i) {
    word = i % 8 == 0 ? next() : word >> 8;
    text += kDigits[(word >> 4) & 0xf];
    text += kDigits[word & 0xf];
  }
  return text;
}

std::unique_ptr<Random> make_system_random() {
  return std::make_unique<SystemRandom>();
}

std::unique_ptr<Random> make_seeded_random(std::uint64_t seed) {
  return std::make_unique<SeededRandom>(seed);
}

}  // namespace convoke
