// A step that waits for people. What they say stands in the run's spec.approvals; an admission policy of the
// chart sees to it that everybody speaks for themselves and may. Pure.
#pragma once

#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {

void start_approval(Plan& plan, std::size_t step);
void advance_approval(Plan& plan, std::size_t step);

// {approvedBy: [..], comments: {user: comment}}, of those whose word counted.
Json approval_outputs(const RunSnapshot& snapshot, const api::StepStatus& row);

}  // namespace convoke::workflow
