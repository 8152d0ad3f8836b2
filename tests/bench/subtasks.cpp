#include "tests/bench/subtasks.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "reconcilers/api/task.h"
#include "tests/bench/agents.h"

namespace convoke::bench {
namespace {

constexpr auto kLongest = std::chrono::minutes(1);

Json manifest(const std::string& name, int parts) {
  Json subtasks = Json::array();
  for (int i = 0; i < parts; ++i) {
    subtasks.push_back({{"name", "part" + std::to_string(i)}, {"task", {{"type", "bench"}}}});
  }
  return {{"metadata", {{"name", name}, {"namespace", kNamespace}}},
          {"spec", {{"type", "bench"}, {"subtasks", std::move(subtasks)}}}};
}

// When the last of them was seen Assigned; nothing while one was not.
std::optional<MonotonicTime> all_assigned(const Agents& agents, const std::string& whole, int parts) {
  MonotonicTime last{};
  for (int i = 0; i < parts; ++i) {
    const auto assigned = agents.seen(whole + "-part" + std::to_string(i)).assigned;
    if (assigned == MonotonicTime{}) return {};
    last = std::max(last, assigned);
  }
  return last;
}

}  // namespace

Json measure_subtasks(World& world, int rounds, int parts, const std::string& prefix) {
  Agents agents(world, 4, 50);
  agents.start();
  StopSignal never(world.clock);
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const std::string name = prefix + std::to_string(round);
    const auto begin = world.clock.monotonic_now();
    (void)must(world.client->create(api::kTask, manifest(name, parts)), "creating a Task");
    auto end = all_assigned(agents, name, parts);
    while (!end) {
      if (world.clock.monotonic_now() > begin + kLongest)
        fail("the subtasks were not assigned within a minute");
      never.sleep_for(std::chrono::milliseconds(5));
      end = all_assigned(agents, name, parts);
    }
    times.push_back(seconds(*end - begin));
    never.sleep_for(std::chrono::milliseconds(300));  // they end, so that each round begins in peace
  }
  return {{"create_to_all_assigned_p50_ms", 1000 * percentile(times, 0.5)},
          {"create_to_all_assigned_p99_ms", 1000 * percentile(times, 0.99)}};
}

}  // namespace convoke::bench
