// What is known of a Task when one decides about it, and what of a decision people are told.
#pragma once

#include <string>
#include <vector>

#include "reconcilers/task/task_decide.h"
#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task::testing {

inline TaskSnapshot snapshot_of(const api::Task& task, AgentState agent = {true, api::AgentPhase::Ready}) {
  return {task, agent, {}, {}, kNow, "abc", 0.5};
}

inline std::vector<std::string> event_reasons(const TaskDecision& decision) {
  std::vector<std::string> reasons;
  for (const TaskEvent& event : decision.events) {
    reasons.push_back(event.reason);
  }
  return reasons;
}

}  // namespace convoke::task::testing
