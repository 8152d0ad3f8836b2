// Chance for a simulation: everything that happens follows from the seed. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/random.h"

namespace convoke::simulation {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(make_seeded_random(seed)) {}

  // From 0 to count - 1.
  int below(int count) { return static_cast<int>(random_->next() % static_cast<std::uint64_t>(count)); }
  bool chance(int percent) { return below(100) < percent; }
  Duration between(Duration least, Duration most) {
    const auto span = static_cast<double>((most - least).count());
    return least + Duration(static_cast<Duration::rep>(span * random_->uniform()));
  }
  template <class T>
  const T& of(const std::vector<T>& choices) {
    return choices[static_cast<std::size_t>(below(static_cast<int>(choices.size())))];
  }
  std::uint64_t seed() { return random_->next(); }

 private:
  std::unique_ptr<Random> random_;
};

}  // namespace convoke::simulation
