// Randomness as a seam: jitter, tie-breaks that must not be predictable, unique ids. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace convoke {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  // Uniform in [0, 1).
  double uniform();
  // `bytes` random bytes as lower-case hex.
  std::string hex(int bytes);
};

// Seeded from the operating system.
std::unique_ptr<Random> make_system_random();
// The same sequence for the same seed (splitmix64, Steele, Lea and Flood 2014).
std::unique_ptr<Random> make_seeded_random(std::uint64_t seed);

}  // namespace convoke
