#include "controller/serve/process_metrics.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace convoke::serve {
namespace {

TEST(ProcessMetrics, StatWithoutANameCannotBeRead) {
  EXPECT_FALSE(parse_process_stat(""));
  EXPECT_FALSE(parse_process_stat("12 convoke S 1 2 3"));
}

TEST(ProcessMetrics, StatThatEndsEarlyCannotBeRead) {
  EXPECT_FALSE(parse_process_stat("12 (convoke) S 1 2 3"));
}

TEST(ProcessMetrics, NameMayHoldSpacesAndParentheses) {
  const auto stat = parse_process_stat(
      "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 16 17 18 19 1 21 9900 23000000 1234 18446744073709551615 1 "
      "1");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->cpu_ticks, 300);
  EXPECT_EQ(stat->start_ticks, 9900);
  EXPECT_EQ(stat->resident_pages, 1234);
}

TEST(ProcessMetrics, MissingProcLeavesTheMetricsOut) {
  EXPECT_TRUE(ProcessMetrics("/nonexistent", "/nonexistent").Collect().empty());
}

// The limit that the control group in this folder has; 0 if none is told.
double limit_in(const std::string& cgroup_root) {
  for (const auto& family : ProcessMetrics("/nonexistent", cgroup_root).Collect()) {
    if (family.name == "convoke_memory_limit_bytes") return family.metric.at(0).gauge.value;
  }
  return 0;
}

TEST(ProcessMetrics, TheMemoryLimitIsThatOfTheControlGroupIfThereIsOne) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(::testing::TempDir()) / ("convoke-cgroup-" + std::to_string(getpid()));
  fs::create_directories(root / "memory");
  const auto write = [&](const char* name, const char* text) { std::ofstream(root / name) << text; };
  EXPECT_EQ(limit_in(root), 0);
  write("memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit_in(root), 0);
  write("memory/memory.limit_in_bytes", "268435456\n");
  EXPECT_EQ(limit_in(root), 268435456);
  write("memory.max", "134217728\n");
  EXPECT_EQ(limit_in(root), 134217728);
  fs::remove_all(root);
}

TEST(ProcessMetrics, ThisProcessHasPlausibleNumbers) {
  std::map<std::string, double> values;
  for (const auto& family : ProcessMetrics().Collect()) {
    const auto& metric = family.metric.at(0);
    values[family.name] = metric.gauge.value + metric.counter.value;
  }
  EXPECT_GT(values.at("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(values.at("process_cpu_seconds_total"), 0);
  EXPECT_GT(values.at("process_start_time_seconds"), 1.5e9);
  EXPECT_GT(values.at("process_virtual_memory_bytes"), values.at("process_resident_memory_bytes"));
  EXPECT_GE(values.at("process_open_fds"), 3);
}

}  // namespace
}  // namespace convoke::serve
