// Mode StateMachine: one step at a time, and when it has ended, the first of its transitions whose condition
// holds says which is next. Pure.
#pragma once

#include "reconcilers/workflow/run_plan.h"

namespace convoke::workflow {

// Starts the first state, goes on with the current one, or takes transitions as far as they lead now. When
// there is none to take, every state that was never reached is Skipped, and the run's steps have ended.
void walk_states(Plan& plan);

}  // namespace convoke::workflow
