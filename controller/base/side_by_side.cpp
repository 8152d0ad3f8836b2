#include "controller/base/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

namespace convoke {

void side_by_side(Clock& clock, const std::string& name, std::size_t count, std::size_t limit,
                  const std::function<bool(std::size_t)>& job) {
  if (count == 0 || !job(0)) {
    return;
  }
  std::atomic<std::size_t> next{1};
  std::atomic<bool> goes_on{true};
  const auto work = [&] {
    while (goes_on) {
      const std::size_t i = next++;
      if (i >= count) {
        return;
      }
      if (!job(i)) {
        goes_on = false;
      }
    }
  };
  std::vector<std::unique_ptr<Thread>> helpers;
  for (std::size_t n = 1; n < std::min(limit, count - 1); ++n) {
    helpers.push_back(clock.start_thread(name, work));
  }
  work();
  for (const auto& helper : helpers) {
    helper->join();
  }
}

}  // namespace convoke
