// A cron schedule with its time zone, as people write them into Workflows: "<cron>\n<zone>".

#include "controller/base/time_format.h"
#include "reconcilers/schedule/cron.h"
#include "reconcilers/schedule/schedule.h"
#include "tests/fuzz/check.h"

namespace {

using namespace convoke;
using namespace std::chrono_literals;

constexpr int kTimes = 50;
constexpr Duration kLongestPause = std::chrono::hours(24 * 366 * 9);

void check_times(const schedule::Schedule& found, WallTime begin) {
  WallTime time = begin;
  for (int i = 0; i < kTimes; ++i) {
    const auto next = found.next(time);
    fuzz::check(next.has_value(), "a schedule that was accepted goes on");
    fuzz::check(*next > time, "times rise");
    fuzz::check(*next - time < kLongestPause, "a schedule comes at least every eight years");
    fuzz::check(next->time_since_epoch() % 1min == Duration::zero(), "times are on whole minutes");
    fuzz::check(found.next(*next - 1s) == *next, "what is asked for later is the same time");
    time = *next;
  }
  const auto due = found.due(*found.next(begin), time);
  fuzz::check(due && due->latest == time && due->earlier.size() == kTimes - 1, "what is due are these times");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  const auto line = text.find('\n');
  const std::string cron(text.substr(0, line));
  const std::string zone(line == std::string_view::npos ? "" : text.substr(line + 1));
  const auto found = schedule::Schedule::parse(cron, zone);
  if (!found) {
    fuzz::check(found.error().message.size() < 300, "a mistake is said in short");
    return 0;
  }
  // A winter and a summer, with both changes of the clocks between them.
  check_times(*found, *parse_time("2026-01-15T00:00:00Z"));
  check_times(*found, *parse_time("2026-10-01T00:00:00Z"));
  return 0;
}
