// Going on with a run that failed: spec.retryFrom asks for one more round. Pure.
//
// The steps that succeeded keep what they have; those that failed, were cancelled or never ran start again,
// with children of their own, and so does `finally`.
#pragma once

#include <string>

#include "reconcilers/workflow/run_decide.h"

namespace convoke::workflow {

// True if the run has ended and its spec asks for a round that has not been.
bool is_retry_wanted(const api::WorkflowRun& run);

// Why it cannot have one; empty if it can.
std::string retry_problem(const api::WorkflowRun& run, const Definition& definition);

// The status with which the new round begins.
api::WorkflowRunStatus begin_round(const api::WorkflowRun& run, const Definition& definition, WallTime now);

}  // namespace convoke::workflow
