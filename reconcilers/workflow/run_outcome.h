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

// How the steps ended, before `finally`; all of them have. `outputs` are not among it.
Outcome find_outcome(const Plan& plan, StopCause cause);

// How the run ended: with what came of `finally`, and the outputs.
Outcome find_last_outcome(Plan& plan, StopCause cause);

}  // namespace convoke::workflow
