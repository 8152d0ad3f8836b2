// What this agent ran, one JSON object a line, appended: evidence for people and for tests that no attempt ran twice.
//
// Thread-safe. Errors: a line that cannot be written is logged, and nothing else happens.
#pragma once

#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "reconcilers/api/task.h"

namespace convoke::runner {

class Journal {
 public:
  // An empty path: keeps nothing.
  static Result<std::unique_ptr<Journal>> open(const std::string& path, const std::string& agent, Clock& clock,
                                               Logger log);
  ~Journal();

  // `event`: start, end, killed, reported or refused. `detail` is for people.
  void write(const char* event, const kube::ObjectMeta& task, int attempt, const std::string& assignment,
             const std::string& detail = "");

 private:
  Journal(int fd, std::string agent, Clock& clock, Logger log);

  const int fd_;
  const std::string agent_;
  Clock& clock_;
  Logger log_;
};

}  // namespace convoke::runner
