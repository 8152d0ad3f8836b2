#include "programs/runner/journal.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "controller/base/time_format.h"

namespace convoke::runner {

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path, const std::string& agent, Clock& clock,
                                               Logger log) {
  int fd = -1;
  if (!path.empty()) {
    fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return Error{ErrorCode::Invalid, "journal " + path + ": " + std::strerror(errno)};
  }
  return std::unique_ptr<Journal>(new Journal(fd, agent, clock, std::move(log)));
}

Journal::Journal(int fd, std::string agent, Clock& clock, Logger log)
    : fd_(fd), agent_(std::move(agent)), clock_(clock), log_(std::move(log)) {}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

void Journal::write(const char* event, const kube::ObjectMeta& task, int attempt, const std::string& assignment,
                    const std::string& detail) {
  if (fd_ < 0) return;
  Json line = {{"time", format_micro_time(clock_.wall_now())},
               {"event", event},
               {"agent", agent_},
               {"namespace", task.namespace_},
               {"task", task.name},
               {"uid", task.uid},
               {"attempt", attempt},
               {"assignment", assignment},
               {"runnerPid", ::getpid()}};
  if (!detail.empty()) line["detail"] = detail;
  const auto text = dump_json(line) + "\n";
  // One write with O_APPEND: lines of several threads never mix.
  if (::write(fd_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    log_.error("the journal cannot be written", {{"error", std::strerror(errno)}});
}

}  // namespace convoke::runner
