// Keeps the resident memory of the process near what it really uses.
//
// glibc gives each thread an arena of its own and keeps what is freed. With some forty threads, and with
// short-lived JSON between long-lived objects, that multiplies the memory of a process whose live data is
// small.
//
// Thread safety: keep_heap_small() before other threads start; HeapTrimmer works on a thread of its own,
// which its destructor ends.
#pragma once

#include <memory>

#include "controller/base/clock.h"

namespace convoke::programs {

void keep_heap_small();

// Gives free pages back to the system twice a minute. Holds up allocations for about a millisecond for each
// 10 MB.
class HeapTrimmer {
 public:
  explicit HeapTrimmer(Clock& clock);
  ~HeapTrimmer();

 private:
  StopSignal stop_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace convoke::programs
