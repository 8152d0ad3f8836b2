#include "reconcilers/workflow/state_machine.h"

#include <optional>
#include <string>

#include "reconcilers/workflow/compensation.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_step.h"

namespace convoke::workflow {
namespace {

std::size_t current_state(const Plan& plan) {
  return plan.definition.find(plan.current_step).value_or(0);
}

// Nothing: no transition holds. Error: one cannot be evaluated.
Result<std::optional<std::size_t>> find_transition(Plan& plan, std::size_t state) {
  const auto& transitions = plan.definition.step(state).transitions;
  const auto& conditions = plan.definition.programs[state].transitions;
  plan.scope().clear_locals();
  plan.scope().select_steps(plan.definition.used_steps[state]);
  for (std::size_t t = 0; t < transitions.size(); ++t) {
    const auto taken = conditions[t] ? holds(plan, *conditions[t]) : Result<bool>(true);
    if (!taken) {
      return taken.error().with_context("transitions[" + std::to_string(t) + "].when");
    }
    if (*taken) {
      return plan.definition.find(transitions[t].to);
    }
  }
  return std::optional<std::size_t>();
}

// The row of a failure that was answered by a transition says so, and does not fail the run.
void leave(Plan& plan, std::size_t state, std::size_t next) {
  auto& row = plan.rows[state];
  if (row.phase != api::StepPhase::Succeeded && row.phase != api::StepPhase::Skipped) {
    explain_row(
        row, reason::kTransitionTaken,
        "went on to \"" + plan.definition.step(next).name + "\" after " + row.reason + ": " + row.message);
  }
}

void enter(Plan& plan, std::size_t state) {
  auto& row = plan.rows[state];
  api::StepStatus fresh;
  fresh.name = row.name;
  fresh.round = plan.snapshot.status.round;
  fresh.iteration = row.iteration + 1;
  row = fresh;
  plan.current_step = row.name;
  observe_row(plan.snapshot, row, state);
}

void skip_the_rest(Plan& plan) {
  for (std::size_t i = 0; i < plan.definition.main_steps; ++i) {
    if (plan.rows[i].phase == api::StepPhase::Pending) {
      end_row(plan.rows[i], api::StepPhase::Skipped, reason::kNotReached, "no transition led here", plan.now);
    }
  }
}

// False: the machine has come to its end.
bool move_on(Plan& plan, std::size_t state) {
  const auto next = find_transition(plan, state);
  if (!next) {
    fail_row(plan, state, next.error());
    return false;
  }
  if (!*next) {
    return false;
  }
  if (plan.transitions >= plan.definition.spec.max_transitions) {
    fail_row(
        plan, state,
        {ErrorCode::Invalid,
         "took " + std::to_string(plan.transitions) + " transitions, which is all that maxTransitions allows",
         reason::kMaxTransitions});
    return false;
  }
  leave(plan, state, **next);
  ++plan.transitions;
  enter(plan, **next);
  return true;
}

}  // namespace

void walk_states(Plan& plan) {
  if (plan.current_step.empty()) {
    enter(plan, 0);
  }
  while (true) {
    const auto state = current_state(plan);
    if (plan.rows[state].phase == api::StepPhase::Pending) {
      start_step(plan, state);
    } else if (plan.rows[state].phase == api::StepPhase::Running) {
      advance_step(plan, state);
    }
    if (!api::is_terminal(plan.rows[state].phase)) {
      return;
    }
    number_completions(plan);  // before the next state ends
    if (!move_on(plan, state)) {
      return skip_the_rest(plan);
    }
  }
}

}  // namespace convoke::workflow
