#include "tests/bench/locks.h"

#include <algorithm>
#include <vector>

#include "reconcilers/api/task.h"
#include "tests/bench/agents.h"

namespace convoke::bench {
namespace {

// Between the Tasks of one lock, in the order in which they had it.
void add_hand_overs(std::vector<Agents::Seen> turns, std::vector<double>& all) {
  std::sort(turns.begin(), turns.end(), [](const auto& a, const auto& b) { return a.assigned < b.assigned; });
  for (std::size_t i = 1; i < turns.size(); ++i) {
    all.push_back(seconds(turns[i].assigned - turns[i - 1].finished));
  }
}

}  // namespace

Json measure_locks(World& world, int count, int locks, const std::string& prefix) {
  Agents agents(world, 4, count);
  agents.start();
  const int before = agents.finished();  // of other phases
  const auto name = [&](int i) { return prefix + std::to_string(i); };
  const auto start = world.clock.monotonic_now();
  parallel_for(world.clock, count, kClientThreads, [&](int i) {
    const Json lock = {{"name", prefix + "lock-" + std::to_string(i % locks)}};
    const Json task = {{"metadata", {{"name", name(i)}, {"namespace", kNamespace}}},
                       {"spec", {{"type", "bench"}, {"locks", Json::array({lock})}}}};
    (void)must(world.client->create(api::kTask, task), "creating a Task");
  });
  StopSignal never(world.clock);
  const auto deadline = world.clock.monotonic_now() + std::chrono::minutes(5);
  while (agents.finished() - before < count) {
    if (world.clock.monotonic_now() > deadline) fail("the Tasks did not end within 5 minutes");
    never.sleep_for(std::chrono::milliseconds(5));
  }
  const double took = seconds(world.clock.monotonic_now() - start);

  std::vector<double> hand_overs;
  for (int lock = 0; lock < locks; ++lock) {
    std::vector<Agents::Seen> turns;
    for (int i = lock; i < count; i += locks) turns.push_back(agents.seen(name(i)));
    add_hand_overs(std::move(turns), hand_overs);
  }
  return {{"grants_per_s", count / took},
          {"hand_over_p50_ms", 1000 * percentile(hand_overs, 0.5)},
          {"hand_over_p99_ms", 1000 * percentile(hand_overs, 0.99)}};
}

}  // namespace convoke::bench
