// What the kernel says of this process, under the names that every Prometheus client uses:
// process_resident_memory_bytes, process_virtual_memory_bytes, process_cpu_seconds_total,
// process_start_time_seconds, process_open_fds, process_max_fds. And what the container may use:
// convoke_memory_limit_bytes, absent where there is no limit.
//
// Thread safety: from every thread. Errors: a file that cannot be read leaves its metric out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

namespace convoke::serve {

// The fields of /proc/<pid>/stat that are used here (proc(5)).
struct ProcessStat {
  double cpu_ticks = 0;    // user and system
  double start_ticks = 0;  // since the machine booted
  double virtual_bytes = 0;
  double resident_pages = 0;
};

// Pure. The command's name in the second field may hold spaces and parentheses.
std::optional<ProcessStat> parse_process_stat(std::string_view text);

class ProcessMetrics final : public prometheus::Collectable {
 public:
  explicit ProcessMetrics(std::string proc_root = "/proc", std::string cgroup_root = "/sys/fs/cgroup");
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::string proc_root_;
  std::string cgroup_root_;
};

}  // namespace convoke::serve
