// The audit log (reconcilers/api/audit_log.h) as a file: one JSON object a line, in the order in which writes
// succeeded, with a number that grows by one within a process.
//
// A line is written with one write(2), before the reconcile goes on: it outlives the process, though not the
// machine (there is no fsync). When the file cannot be written (the disk is full) record() waits and tries
// again each second: the operator rather stands still than acts without a record. That is logged, and
// convoke_audit_blocked is 1 meanwhile. Only stop() ends such a wait without the line.
//
// Rotation: by renaming (the file is opened anew when its path names another file, or none) and by copying
// and truncating (lines are appended). No signal is needed. A line that a crash cut short is ended before the
// next one. "-" is standard output; logs go to standard error.
//
// Thread safety: record() and stop() from every thread. Errors: Invalid from open().
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "reconcilers/api/audit_log.h"

namespace prometheus {
class Counter;
class Gauge;
class Registry;
}  // namespace prometheus

namespace convoke::programs {

// One line, without its end. `number` and `identity` tell the records of several operators apart.
std::string audit_line(const api::AuditEntry& entry, WallTime now, std::uint64_t number,
                       unsigned long reconcile_id, const std::string& identity);

class AuditFile final : public api::AuditLog {
 public:
  // `identity` is the leader identity of this process.
  AuditFile(Clock& clock, Logger log, prometheus::Registry& registry, std::string path, std::string identity);
  ~AuditFile() override;
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  // Whether the file can be written: before the first record, so that a wrong path is told at the start.
  Status open();
  void record(const api::AuditEntry& entry) override;
  void stop();

 private:
  Status append(const std::string& line) REQUIRES(mutex_);
  Status follow_path() REQUIRES(mutex_);
  Status open_file() REQUIRES(mutex_);
  Status write_all(const std::string& text) REQUIRES(mutex_);

  Clock& clock_;
  const Logger log_;
  const std::string path_;
  const std::string identity_;
  prometheus::Counter& lines_;
  prometheus::Gauge& blocked_;
  StopSignal stop_;

  Mutex mutex_;
  int fd_ GUARDED_BY(mutex_) = -1;
  bool line_is_open_ GUARDED_BY(mutex_) = false;  // the file does not end with the end of a line
  std::uint64_t number_ GUARDED_BY(mutex_) = 0;
};

}  // namespace convoke::programs
