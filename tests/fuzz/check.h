// What every fuzz target uses: a property that must hold, whatever the input.
//
// A target reads one untrusted input as the product does and must neither crash, nor throw, nor break one of
// its properties. Build and run them with hack/fuzz.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace convoke::fuzz {

// Ends the process, so that the fuzzer keeps the input, unless `holds`.
inline void check(bool holds, const std::string& property) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", property.c_str());
  std::abort();
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace convoke::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
