// One step that has its turn: how it starts, goes on and is halted. Pure.
//
// What is special to one shape of step stands in fan_out.h, approval_step.h and wait_step.h; this file holds
// a step that becomes one Task or run at a time, once or repeatedly.
#pragma once

#include "reconcilers/workflow/run_plan.h"

namespace convoke::workflow {

// What a run's being ended means for a step that has not ended.
struct Halt {
  const char* reason;   // for rows that never started, or had nothing that was to end first
  std::string message;  // for children that are cancelled
  bool compensate = false;
};

// A Pending step whose dependencies let it start. Evaluates `when`; a step that does not hold, or cannot be
// evaluated, ends. A step that finds no room stays Pending.
void start_step(Plan& plan, std::size_t step);
// A Running step.
void advance_step(Plan& plan, std::size_t step);
// A Running step of a run that is being ended.
void halt_step(Plan& plan, std::size_t step, const Halt& halt);

// Whether the condition holds, with the step's locals in scope.
Result<bool> holds(Plan& plan, const cel::Program& condition);

// Ends the row of a step that cannot be done as its definition says.
void fail_row(Plan& plan, std::size_t step, const Error& error);

// What the step becomes: a Task or a run, with the plan's scope as it is. Error: an expression.
Result<ChildStart> child_to_start(Plan& plan, const ChildKey& key);

// The manifest to create: owned by the run, labelled for people and for the reconciler.
Json child_manifest(const RunSnapshot& snapshot, const ChildStart& start);

// The name of a child: the second one, if another object has the first.
std::string name_of(const RunSnapshot& snapshot, const ChildKey& key);

}  // namespace convoke::workflow
