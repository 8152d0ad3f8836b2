#include "programs/operator/audit_file.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/base/time_format.h"
#include "controller/runtime/metric_builders.h"
#include "controller/runtime/reconciler.h"

namespace convoke::programs {
namespace {

constexpr char kStandardOutput[] = "-";
constexpr Duration kRetryDelay = std::chrono::seconds(1);
constexpr mode_t kMode = 0640;

Error system_error(const std::string& path, const char* what) {
  return {ErrorCode::Invalid,
          "audit log " + path + ": " + what + ": " + std::generic_category().message(errno)};
}

void put(Json& line, const char* key, const std::string& value) {
  if (!value.empty()) line[key] = value;
}

Json assignment_json(const api::Assignment& assignment) {
  Json out = Json::object();
  put(out, "id", assignment.id);
  put(out, "strategy", assignment.strategy);
  put(out, "score", assignment.score);
  if (!assignment.id.empty()) out["candidates"] = assignment.candidates;
  for (const auto& agent : assignment.rejected) {
    out["rejected"].push_back({{"agent", agent.agent_name}, {"reason", agent.reason}});
  }
  return out;
}

bool ends_with_newline(int fd) {
  struct stat file {};
  if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size == 0) return true;
  char last = '\n';
  return pread(fd, &last, 1, file.st_size - 1) != 1 || last == '\n';
}

}  // namespace

std::string audit_line(const api::AuditEntry& entry, WallTime now, std::uint64_t number,
                       unsigned long reconcile_id, const std::string& identity) {
  Json line = {{"time", format_micro_time(now)},
               {"action", api::to_string(entry.action)},
               {"kind", entry.object.type.kind},
               {"namespace", entry.object.namespace_},
               {"name", entry.object.name},
               {"uid", entry.object.uid},
               {"resourceVersion", entry.object.resource_version},
               {"generation", entry.generation},
               {"by", api::to_string(entry.cause.kind)},
               {"reconcileID", reconcile_id},
               {"operator", identity},
               {"number", number}};
  put(line, "from", entry.from);
  put(line, "to", entry.to);
  put(line, "reason", entry.reason);
  put(line, "who", entry.cause.who);
  put(line, "owner", entry.owner);
  put(line, "agent", entry.agent_name);
  if (entry.attempt > 0) line["attempt"] = entry.attempt;
  if (auto assignment = assignment_json(entry.assignment); !assignment.empty()) {
    line["assignment"] = std::move(assignment);
  }
  return dump_json(line);
}

AuditFile::AuditFile(Clock& clock, Logger log, prometheus::Registry& registry, std::string path,
                     std::string identity)
    : clock_(clock),
      log_(std::move(log)),
      path_(std::move(path)),
      identity_(std::move(identity)),
      lines_(runtime::make_counter(registry, "convoke_audit_lines_total",
                                   "Lines that were written to the audit log", {})),
      blocked_(runtime::make_gauge(registry, "convoke_audit_blocked",
                                   "1 while the operator waits because the audit log cannot be written", {})),
      stop_(clock) {}

AuditFile::~AuditFile() {
  const MutexLock lock(mutex_);
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

Status AuditFile::open() {
  const MutexLock lock(mutex_);
  return follow_path();
}

void AuditFile::stop() {
  stop_.stop();
}

// The mutex is held while the file is away: the lines behind this one wait too, so that their order stays.
void AuditFile::record(const api::AuditEntry& entry) {
  const MutexLock lock(mutex_);
  const auto line =
      audit_line(entry, clock_.wall_now(), ++number_, runtime::current_reconcile_id(), identity_) + '\n';
  bool told = false;
  for (Status written = append(line); !written; written = append(line)) {
    blocked_.Set(1);
    if (!told) {
      log_.error("the audit log cannot be written; nothing is done before it can be",
                 {{"error", written.error().message}});
    }
    told = true;
    if (!stop_.sleep_for(kRetryDelay)) {
      return log_.error("a line of the audit log is lost, since the operator is stopped",
                        {{"kind", entry.object.type.kind},
                         {"namespace", entry.object.namespace_},
                         {"name", entry.object.name},
                         {"to", entry.to}});
    }
  }
  lines_.Increment();
  blocked_.Set(0);
  if (told) log_.info("the audit log can be written again");
}

Status AuditFile::append(const std::string& line) {
  if (auto followed = follow_path(); !followed) return followed;
  return write_all(line_is_open_ ? '\n' + line : line);
}

// Opens the file that the path names, unless it is the one that is open.
Status AuditFile::follow_path() {
  if (path_ == kStandardOutput) {
    fd_ = STDOUT_FILENO;
    return {};
  }
  struct stat open {};
  struct stat named {};
  const bool same = fd_ >= 0 && fstat(fd_, &open) == 0 && stat(path_.c_str(), &named) == 0 &&
                    open.st_dev == named.st_dev && open.st_ino == named.st_ino;
  return same ? Status{} : open_file();
}

Status AuditFile::open_file() {
  // Readable too, to see how it ends.
  const int fd = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  if (fd < 0) return system_error(path_, "cannot be opened");
  if (fd_ > STDERR_FILENO) ::close(fd_);
  fd_ = fd;
  line_is_open_ = !ends_with_newline(fd);
  return {};
}

// What is left after a failure half-way is a line that was cut short; the next try ends it.
Status AuditFile::write_all(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const auto bytes = ::write(fd_, text.data() + done, text.size() - done);
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) {
      line_is_open_ = line_is_open_ || done > 0;
      return system_error(path_, "cannot be written");
    }
    done += static_cast<std::size_t>(bytes);
  }
  line_is_open_ = false;
  return {};
}

}  // namespace convoke::programs
