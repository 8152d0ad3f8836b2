#include "programs/operator/heap.h"

#include <malloc.h>

namespace convoke::programs {
namespace {

constexpr std::chrono::seconds kTrimInterval{30};

}  // namespace

void keep_heap_small() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

HeapTrimmer::HeapTrimmer(Clock& clock)
    : stop_(clock), thread_(clock.start_thread("heap", [this] {
        while (stop_.sleep_for(kTrimInterval)) ::malloc_trim(0);
      })) {}

HeapTrimmer::~HeapTrimmer() {
  stop_.stop();
}

}  // namespace convoke::programs
