#include "programs/runner/journal.h"

#include "controller/base/time_format.h"

namespace convoke::runner {

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path, const std::string& agent,
                                               Clock& clock, const Logger& log) {
  Fd file;
  if (!path.empty()) {
    file = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!file.is_open()) return Error{ErrorCode::Invalid, "journal " + path + ": " + std::strerror(errno)};
  }
  return std::unique_ptr<Journal>(new Journal(std::move(file), agent, clock, log));
}

Journal::Journal(Fd file, std::string agent, Clock& clock, const Logger& log)
    : file_(std::move(file)), agent_(std::move(agent)), clock_(clock), log_(log) {}

void Journal::write(const char* event, const api::Task& task, const Json& more) {
  if (!file_.is_open()) return;
  Json line = {{"time", format_micro_time(clock_.wall_now())},
               {"event", event},
               {"agent", agent_},
               {"namespace", task.meta.namespace_},
               {"task", task.meta.name},
               {"uid", task.meta.uid},
               {"attempt", task.status.attempt},
               {"assignment", task.status.assignment.id},
               {"pid", ::getpid()}};
  line.update(more);
  const auto text = dump_json(line) + "\n";
  // One write with O_APPEND: lines of several threads never mix.
  if (::write(file_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    log_.error("the journal cannot be written", {{"error", std::strerror(errno)}});
}

}  // namespace convoke::runner
