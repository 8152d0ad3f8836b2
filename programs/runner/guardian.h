// A small process beside this one that outlives it by a moment: however we end, SIGKILL included, it kills
// the process groups that are entered here, so that no command goes on while its Task is given to somebody
// else.
//
// Thread safety: enter and leave from every thread. Make it before other threads start, and early: it keeps a
// copy of the memory that this process has then. Errors: Unavailable where the system gives no further
// process.
#pragma once

#include <memory>

#include <sys/types.h>

#include "controller/base/result.h"
#include "programs/runner/fd.h"

namespace convoke::runner {

class Guardian {
 public:
  static Result<std::unique_ptr<Guardian>> start();
  // Kills what is still entered.
  ~Guardian();
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;

  // Async-signal-safe: a child enters itself between fork and exec, so that there is no moment without
  // protection.
  void enter(pid_t group) const { tell(group); }
  // Before the group's first process is reaped: until then nobody else can get its id.
  void leave(pid_t group) const { tell(-group); }

 private:
  Guardian(pid_t pid, Fd line) : pid_(pid), line_(std::move(line)) {}
  void tell(pid_t message) const;

  const pid_t pid_;
  Fd line_;
};

}  // namespace convoke::runner
