#include "reconcilers/workflow/run_graph.h"

#include <string>

#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {
namespace {

// Whether a pending step waits, may start, or never will.
enum class Readiness { Waits, Ready, Blocked, Unwanted };

struct Dependencies {
  Readiness readiness = Readiness::Ready;
  std::size_t culprit = 0;
};

bool is_as_needed(const api::StepStatus& row, Needed needed) {
  switch (needed) {
    case Needed::Succeeded:
      return row.phase == api::StepPhase::Succeeded;
    case Needed::Failed:
      return row.phase == api::StepPhase::Failed;
    case Needed::Skipped:
      return row.phase == api::StepPhase::Skipped;
    case Needed::Cancelled:
      return row.phase == api::StepPhase::Cancelled;
    case Needed::Done:
    case Needed::Ended:
      break;
  }
  return true;
}

Dependencies look_at_dependencies(const Plan& plan, std::size_t step) {
  Dependencies result;
  for (const auto& [dependency, needed] : plan.definition.needs[step]) {
    const auto& row = plan.rows[dependency];
    if (!api::is_terminal(row.phase)) {
      if (result.readiness == Readiness::Ready) {
        result.readiness = Readiness::Waits;
      }
    } else if (needed == Needed::Done && !is_done(plan.definition.step(dependency), row)) {
      return {Readiness::Blocked, dependency};
    } else if (!is_as_needed(row, needed)) {
      result = {Readiness::Unwanted, dependency};
    }
  }
  return result;
}

void take_turn(Plan& plan, std::size_t i) {
  const auto [readiness, culprit] = look_at_dependencies(plan, i);
  const auto& cause = plan.rows[culprit];
  const std::string what = "step \"" + cause.name + "\" is " + api::to_string(cause.phase);
  switch (readiness) {
    case Readiness::Waits:
      return;
    case Readiness::Ready:
      return start_step(plan, i);
    case Readiness::Blocked:
      return end_row(plan.rows[i], api::StepPhase::Skipped, reason::kDependencyFailed, what, plan.now);
    case Readiness::Unwanted:
      return end_row(plan.rows[i], api::StepPhase::Skipped, reason::kOutcomeNotMet, what, plan.now);
  }
}

}  // namespace

void walk_graph(Plan& plan, bool finally) {
  for (const std::size_t i : plan.definition.order) {
    if (plan.definition.is_finally(i) != finally) {
      continue;
    }
    if (plan.rows[i].phase == api::StepPhase::Running) {
      advance_step(plan, i);
    } else if (plan.rows[i].phase == api::StepPhase::Pending) {
      take_turn(plan, i);
    }
  }
}

}  // namespace convoke::workflow
