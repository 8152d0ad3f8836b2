// What people are told when a run's status changes. Pure.
#pragma once

#include <string>
#include <vector>

#include "controller/runtime/event_recorder.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::workflow {

struct EventNote {
  runtime::EventType type;
  std::string reason;
  std::string action;
  std::string note;
};

// To be recorded once `after` is written over `before`.
std::vector<EventNote> events_between(const api::WorkflowRunStatus& before,
                                      const api::WorkflowRunStatus& after);

// Rows of `after` that ended and had not in `before`, in order.
std::vector<const api::StepStatus*> newly_ended(const api::WorkflowRunStatus& before,
                                                const api::WorkflowRunStatus& after);

}  // namespace convoke::workflow
