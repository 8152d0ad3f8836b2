#include "controller/serve/process_metrics.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

namespace convoke::serve {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily single(const std::string& name, const std::string& help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {name, help, type, {metric}};
}

std::string read_proc_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Seconds since the epoch at which the machine booted.
std::optional<double> boot_time(const std::string& proc_root) {
  std::ifstream file(proc_root + "/stat");
  std::string word;
  while (file >> word) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> count_entries(const std::string& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  double count = 0;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) ++count;
  if (error) return std::nullopt;
  return count;
}

// A container sees its own control group as the root: version 2, else version 1, whose "no limit" is a number
// that no machine has.
std::optional<double> memory_limit(const std::string& cgroup_root) {
  constexpr double kNoLimit = 1e18;
  for (const char* name : {"/memory.max", "/memory/memory.limit_in_bytes"}) {
    std::istringstream text(read_proc_file(cgroup_root + name));
    double bytes = 0;
    if (text >> bytes && bytes < kNoLimit) return bytes;
  }
  return std::nullopt;
}

std::optional<double> max_fds() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  const auto name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;

  // proc(5) counts the fields from 1; the one after the name is 3.
  constexpr int kUserTicks = 14;
  constexpr int kSystemTicks = 15;
  constexpr int kStartTicks = 22;
  constexpr int kVirtualBytes = 23;
  constexpr int kResidentPages = 24;

  std::istringstream fields{std::string(text.substr(name_end + 1))};
  std::string state;
  fields >> state;
  ProcessStat stat;
  for (int field = 4; field <= kResidentPages; ++field) {
    double value = 0;
    if (!(fields >> value)) return std::nullopt;
    if (field == kUserTicks || field == kSystemTicks) stat.cpu_ticks += value;
    if (field == kStartTicks) stat.start_ticks = value;
    if (field == kVirtualBytes) stat.virtual_bytes = value;
    if (field == kResidentPages) stat.resident_pages = value;
  }
  return stat;
}

ProcessMetrics::ProcessMetrics(std::string proc_root, std::string cgroup_root)
    : proc_root_(std::move(proc_root)), cgroup_root_(std::move(cgroup_root)) {}

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> families;
  const double ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));

  if (const auto stat = parse_process_stat(read_proc_file(proc_root_ + "/self/stat"))) {
    families.push_back(single("process_resident_memory_bytes", "Resident memory size in bytes.",
                              MetricType::Gauge, stat->resident_pages * page_bytes));
    families.push_back(single("process_virtual_memory_bytes", "Virtual memory size in bytes.",
                              MetricType::Gauge, stat->virtual_bytes));
    families.push_back(single("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.",
                              MetricType::Counter, stat->cpu_ticks / ticks_per_second));
    if (const auto boot = boot_time(proc_root_)) {
      families.push_back(single("process_start_time_seconds",
                                "Start time of the process since the epoch in seconds.", MetricType::Gauge,
                                *boot + stat->start_ticks / ticks_per_second));
    }
  }
  if (const auto open_fds = count_entries(proc_root_ + "/self/fd")) {
    families.push_back(
        single("process_open_fds", "Number of open file descriptors.", MetricType::Gauge, *open_fds));
    if (const auto most = max_fds()) {
      families.push_back(
          single("process_max_fds", "Maximum number of open file descriptors.", MetricType::Gauge, *most));
    }
  }
  if (const auto limit = memory_limit(cgroup_root_)) {
    families.push_back(single("convoke_memory_limit_bytes",
                              "Memory that the container may use before the kernel ends it",
                              MetricType::Gauge, *limit));
  }
  return families;
}

}  // namespace convoke::serve
