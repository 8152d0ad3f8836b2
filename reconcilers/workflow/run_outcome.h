// How a run ended, once all of its steps have. Pure.
#pragma once

#include <string>

#include "reconcilers/workflow/run_stop.h"

namespace convoke::workflow {

struct Outcome {
  api::RunPhase phase = api::RunPhase::Failed;
  std::string reason;
  std::string message;
  api::RawJson outputs;  // an object; empty unless the run succeeded and defines some
};

// All rows have ended.
Outcome find_outcome(const RunSnapshot& snapshot, const Rows& rows, StopCause cause);

}  // namespace convoke::workflow
