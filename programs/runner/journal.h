// What this agent ran, one JSON object a line, appended: evidence for people and for tests that no attempt
// ran twice.
//
//   {"time":...,"event":"start","agent":"builder-1","namespace":"default","task":"build","uid":...,"attempt":1,
//    "assignment":...,"pid":4711}
//
// Events: start (just before the command is started), end (with `exit` or `signal`, or neither if it could
// not start), killed (with `signal`), reported (with `state`), refused (a report that the API server turned
// down, with `error`). `pid` is this process' own.
//
// Thread-safe. Errors: a line that cannot be written is logged, and nothing else happens.
#pragma once

#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/result.h"
#include "programs/runner/fd.h"
#include "reconcilers/api/task.h"

namespace convoke::runner {

class Journal {
 public:
  // An empty path: keeps nothing.
  static Result<std::unique_ptr<Journal>> open(const std::string& path, const std::string& agent,
                                               Clock& clock, const Logger& log);

  // About the current assignment of `task`; `more` is an object whose members are added.
  void write(const char* event, const api::Task& task, const Json& more = Json::object());

 private:
  Journal(Fd file, std::string agent, Clock& clock, const Logger& log);

  const Fd file_;
  const std::string agent_;
  Clock& clock_;
  const Logger log_;
};

}  // namespace convoke::runner
