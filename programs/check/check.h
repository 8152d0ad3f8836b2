// One sample run, as a user would make it: creates a Workflow of two steps and a run of it, waits until the
// run has ended, says how it went, and removes both.
//
// The first step's output goes into the second one, and its output into the run's: so CRDs, admission
// policies, operator and an agent have all done their part when the run ends with the expected output.
//
// Thread safety: none; one thread. Blocks until the run has ended or the timeout.
// Errors: the message says what happened to the run and to each of its Tasks.
#pragma once

#include <iosfwd>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/kube/client.h"

namespace convoke::check {

struct CheckConfig {
  std::string kubeconfig;  // empty: as kube::load_config finds it
  std::string context;
  std::string namespace_ = "default";
  std::string type = "shell";  // of the Tasks; an agent must be capable of it
  std::string agent;           // the only one that may do them; empty: any
  Duration timeout = std::chrono::minutes(2);
  bool delete_agent = false;  // `agent` is there for this check only
};

// What it does is told on `out` as it happens. `suffix` makes the objects' names unique.
Status run_check(kube::Client& client, Clock& clock, const CheckConfig& config, const std::string& suffix,
                 std::ostream& out);

// The command of a Task of the sample, for an agent: writes the outputs {"answer": ...} to the file
// $CONVOKE_OUTPUT. The answer is the parameter `answer`, or what the first step says.
Status write_answer();

}  // namespace convoke::check
